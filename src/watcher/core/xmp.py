"""An XMP packet that says how a picture came to be: for copies alone, never for the picture itself.

https://www.iptc.org/std/photometadata/specification/ (Digital Source Type), https://www.adobe.com/devnet/xmp.html
"""

from __future__ import annotations

from xml.sax.saxutils import escape, quoteattr

from watcher.core.channels import Origin, Recipe

_KINDS = "http://cv.iptc.org/newscodes/digitalsourcetype/"
_MOST = 8_000  # characters of a prompt: a JPEG holds 65,502 bytes of XMP
_PACKET = """<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmlns:dc="http://purl.org/dc/elements/1.1/"
 xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
 xmp:CreatorTool={model} Iptc4xmpExt:DigitalSourceType="{kind}">{prompt}</rdf:Description>
</rdf:RDF></x:xmpmeta><?xpacket end="r"?>"""
_PROMPT = (
    '<dc:description><rdf:Alt><rdf:li xml:lang="x-default">{}</rdf:li></rdf:Alt></dc:description>'
)


def xmp_packet(recipe: Recipe, origin: Origin) -> bytes:
    """Nothing where the recipe says so."""
    if recipe.tell == "nothing":
        return b""
    kind = "compositeWithTrainedAlgorithmicMedia" if origin.edited else "trainedAlgorithmicMedia"
    prompt = _PROMPT.format(escape(_text(origin.prompt))) if recipe.tell == "prompt" else ""
    model = quoteattr(_text(origin.model))
    packet = _PACKET.format(model=model, kind=_KINDS + kind, prompt=prompt)
    return packet.encode()


def _text(text: str) -> str:
    """What XML may hold."""
    return "".join(char if char.isprintable() or char in "\n\t" else " " for char in text[:_MOST])
