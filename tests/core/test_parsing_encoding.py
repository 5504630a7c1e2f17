"""Bytes to text: right, or refused in words; never garbled."""

from __future__ import annotations

import codecs
import io

import pytest

from watcher.core.errors import DropError, TornDrop
from watcher.core.parsing import Limits, Parsed, parse

FRENCH = (
    "prompt;taille\r\n"
    "Un café à la crème, l’été à 5 €;1024x1024\r\n"
    "Un cœur brûlé « Noël », déjà vu…;1024x1024\r\n"
)


def opened(content: bytes, name: str = "drop.csv") -> Parsed:
    return parse(name, io.BytesIO(content))


def texts(content: bytes, name: str = "drop.csv") -> list[object]:
    return [row.values[0] for row in opened(content, name).rows]


def texts_or_refusal(content: bytes) -> list[object] | str:
    try:
        return texts(content)
    except DropError as error:
        return error.code


def refusal(content: bytes, name: str = "drop.csv") -> DropError:
    with pytest.raises(DropError) as caught:
        list(opened(content, name).rows)
    return caught.value


@pytest.mark.parametrize(
    ("codec", "encoding"),
    [
        ("utf-8", "utf-8"),
        ("utf-8-sig", "utf-8"),
        ("utf-16", "utf-16"),
        ("utf-16-le", "utf-16"),
        ("utf-16-be", "utf-16"),
        ("utf-32", "utf-32"),
    ],
)
def test_unicode_is_read_without_a_guess(codec: str, encoding: str) -> None:
    """UTF-8 and UTF-16, with or without a byte order mark, are known and not guessed."""
    parsed = opened(FRENCH.encode(codec))

    assert (parsed.encoding, parsed.encoding_detected, parsed.notes) == (encoding, False, ())
    assert parsed.columns == ["prompt", "taille"]
    assert [row.values[0] for row in parsed.rows] == [
        "Un café à la crème, l’été à 5 €",
        "Un cœur brûlé « Noël », déjà vu…",
    ]


def test_utf16_big_endian_with_its_mark() -> None:
    """The mark says which byte comes first."""
    content = codecs.BOM_UTF16_BE + FRENCH.encode("utf-16-be")

    assert texts(content)[0] == "Un café à la crème, l’été à 5 €"


def test_french_excel_is_read_rightly_and_says_so() -> None:
    """A CSV that French Excel saved gives right text, and the results name the encoding."""
    parsed = opened(FRENCH.encode("cp1252"))

    assert (parsed.encoding, parsed.encoding_detected) == ("cp1252", True)
    assert "cp1252" in parsed.notes[0]
    assert [row.values for row in parsed.rows] == [
        ("Un café à la crème, l’été à 5 €", "1024x1024"),
        ("Un cœur brûlé « Noël », déjà vu…", "1024x1024"),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "Un café",
        "Noël à la plage",
        "100 % coton équitable",
        "« Été 2024 » – 19,99 €",
        "Ein schöner Bär auf der Straße",
        "¿Un niño en el jardín?",
        "Uma maçã e um pão de São Paulo",
        "En rød kat på et blåt tag",
        "città, perché, caffè",
        "the dog’s “red” bone",
    ],
)
def test_one_western_row_is_enough(text: str) -> None:
    """Even a single row tells cp1252 from the others."""
    assert texts(f"prompt;size\r\n{text};1024x1024\r\n".encode("cp1252")) == [text]


SENTENCES = {
    "mac_roman": (
        "Un café à la crème et un gâteau",
        "L’été à la plage, près de la mer",
        "Une forêt enneigée où dort un éléphant",
    ),
    "cp850": (
        "Un café à la crème et un gâteau",
        "Été à la plage, près de la mer",
        "Une forêt enneigée où dort un éléphant",
    ),
    "cp1250": (
        "Příliš žluťoučký kůň úpěl ďábelské ódy",
        "Červená kočka sedí na střeše večer",
        "Žlutý dům u řeky, zimní večer",
    ),
    "cp1251": (
        "Рыжая кошка сидит на крыше вечером",
        "Зимний лес и старый дом у реки",
        "Большая красная лодка на берегу моря",
    ),
    "cp1253": (
        "Μια κόκκινη γάτα κάθεται στη στέγη",
        "Ένα παλιό σπίτι δίπλα στο ποτάμι",
        "Χειμωνιάτικο δάσος το βράδυ με χιόνι",
    ),
    "cp1254": (
        "Kırmızı bir kedi çatıda oturuyor",
        "Güneşli bahçede yaşlı bir ağaç",
        "Işıklı bir şehir, akşamüstü, yağmurlu",
    ),
    "shift_jis": (
        "赤い猫が屋根の上に座っている。",
        "冬の森と川のそばの古い家",
        "海辺の大きな赤い船の写真",
        "夕方の街と雨の中の人々",
    ),
    "gb18030": (
        "一只红色的猫坐在屋顶上,晚上",
        "冬天的森林和河边的老房子",
        "海边的一艘大红船的照片",
        "傍晚的城市,下着雨,人们走在街上",
    ),
    "big5": (
        "一隻紅色的貓坐在屋頂上,晚上",
        "冬天的森林和河邊的老房子",
        "海邊的一艘大紅船的照片",
        "傍晚的城市,下著雨,人們走在街上",
    ),
    "cp949": (
        "지붕 위에 앉아 있는 빨간 고양이",
        "겨울 숲과 강가의 오래된 집",
        "바닷가의 커다란 빨간 배 사진",
        "비가 내리는 저녁 도시의 사람들",
    ),
    "iso8859_5": ("Рыжая кошка сидит на крыше", "Зимний лес и старый дом"),
    "cp874": ("แมวแดงนั่งอยู่บนหลังคา", "ป่าในฤดูหนาว"),
    "cp1255": ("חתול אדום יושב על הגג בערב", "יער חורפי ובית ישן ליד הנהר"),
}


@pytest.mark.parametrize("codec", sorted(SENTENCES))
@pytest.mark.parametrize("rows", [1, 2, 3, 4])
def test_other_encodings_are_right_or_refused(codec: str, rows: int) -> None:
    """Whatever wrote the bytes: the text is what its author wrote, or there is no text at all."""
    sentences = list(SENTENCES[codec][:rows])
    content = ("prompt\n" + "".join(f'"{line}"\n' for line in sentences)).encode(codec)

    outcome = texts_or_refusal(content)

    assert outcome in (sentences, "unknown_encoding")


@pytest.mark.parametrize(
    "codec", ["mac_roman", "cp850", "cp1250", "cp1251", "cp1253", "cp1254", "gb18030"]
)
def test_a_few_rows_are_enough_for_other_encodings(codec: str) -> None:
    """With some text the encoding is beyond doubt."""
    content = ("prompt\n" + "".join(f'"{line}"\n' for line in SENTENCES[codec])).encode(codec)

    assert texts(content) == list(SENTENCES[codec])


def test_the_first_accent_may_come_late() -> None:
    """The whole file is judged, not its beginning, and no reading ahead is kept."""
    ascii_rows = b"a plain cat;1\r\n" * 200_000
    late = "Un été à la crème brûlée;1\r\n".encode("cp1252")
    parsed = opened(b"prompt;n\r\n" + ascii_rows + late)

    assert parsed.encoding == "cp1252"
    *_, last = parsed.rows
    assert (last.number, last.values[0]) == (200_001, "Un été à la crème brûlée")


def test_a_file_put_together_from_two_encodings_is_refused() -> None:
    """UTF-8 with some cp1252 in it would be garbled either way."""
    content = FRENCH.encode() + "Une forêt où dort un éléphant;1\r\n".encode("cp1252")
    error = refusal(content)

    assert error.code == "unknown_encoding"
    assert "line 4" in error.what
    assert "0xEA" in error.what


def test_two_single_byte_encodings_in_one_file_are_refused() -> None:
    """One guess for all of it would garble a part."""
    western = FRENCH.encode("cp1252") * 3
    russian = "\r\n".join(SENTENCES["cp1251"]).encode("cp1251")

    assert refusal(western + russian).code == "unknown_encoding"


@pytest.mark.parametrize("sign", ["\x00", "\x92", "\x85", "\ufffd"])
@pytest.mark.parametrize("codec", ["utf-8", "utf-16"])
def test_damaged_text_is_refused_with_its_place(sign: str, codec: str) -> None:
    """Zero bytes, C1 controls and U+FFFD are never part of a prompt."""
    error = refusal(f"prompt\na cat\nc{sign}fe\n".encode(codec))

    assert error.code == "garbled"
    assert "line 3" in error.what
    assert "UTF-8" in error.hint


def test_text_that_was_saved_wrongly_before_is_told() -> None:
    """Double encoding cannot be mended for sure; it is at least named."""
    parsed = opened("prompt\nUn cafÃ© noir\n".encode())

    assert "cafÃ©" in parsed.notes[0]
    assert [row.values for row in parsed.rows] == [("Un cafÃ© noir",)]


@pytest.mark.parametrize("text", ["CAFÉ À LA CRÈME", "MAÇÃ", "Ça va… «Âme»", "£5, 20 °C"])
def test_right_text_is_not_called_double_encoded(text: str) -> None:
    """Capitals with accents beside signs are no double encoding."""
    assert opened(f"prompt\n{text}\n".encode()).notes == ()


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"PK\x03\x04rest", "workbook"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1rest", "Office"),
        (b"%PDF-1.7 rest", "PDF"),
        (b"\x89PNG\r\n\x1a\n", "picture"),
    ],
)
def test_other_files_under_a_text_name_are_named(content: bytes, kind: str) -> None:
    """Someone who renamed a workbook to .csv is told so."""
    error = refusal(content)

    assert error.code == "not_text"
    assert kind in error.what


@pytest.mark.parametrize("codec", ["utf-8", "utf-8-sig", "utf-16"])
def test_an_end_in_the_middle_of_a_letter_is_torn(codec: str) -> None:
    """A letter cut in two means that the file is not whole yet."""
    whole = "prompt\nun café, 日本\nété".encode(codec)

    with pytest.raises(TornDrop):
        list(opened(whole[:-1]).rows)


def test_bytes_that_are_not_what_the_mark_says_are_refused() -> None:
    """A mark is believed, and what contradicts it is refused at its place."""
    error = refusal(codecs.BOM_UTF8 + b"prompt\ncaf\xe9s\n")

    assert error.code == "unknown_encoding"
    assert "byte 14 (line 2: 0xE9)" in error.what


@pytest.mark.parametrize("name", ["a.json", "a.jsonl", "a.yaml", "a.md", "a.txt", "a.tsv"])
def test_every_text_kind_takes_the_same_care(name: str) -> None:
    """The encoding is judged alike whatever the format."""
    text = {
        "a.json": '[{"prompt": "Un été à la crème brûlée"}]',
        "a.jsonl": '{"prompt": "Un été à la crème brûlée"}\n',
        "a.yaml": "- prompt: Un été à la crème brûlée\n",
        "a.tsv": "prompt\tn\nUn été à la crème brûlée\t1\n",
        "a.md": "Un été à la crème brûlée",
        "a.txt": "Un été à la crème brûlée\n",
    }[name]
    parsed = opened(text.encode("cp1252"), name)

    assert (parsed.encoding, parsed.encoding_detected) == ("cp1252", True)
    assert next(parsed.rows).values[0] == "Un été à la crème brûlée"


def test_a_file_over_the_limit_is_refused_before_it_is_read() -> None:
    """The size is known without reading."""
    with pytest.raises(DropError) as caught:
        parse("a.csv", io.BytesIO(b"prompt\n" + b"x" * 100), limits=Limits(max_bytes=50))

    assert caught.value.code == "too_large"
