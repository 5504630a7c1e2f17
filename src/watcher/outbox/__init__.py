"""The outbox: one folder a job, on disk. A name appears there only when its file is whole."""

from watcher.outbox.faults import hangs, told
from watcher.outbox.files import Outbox
from watcher.outbox.inputs import fit_picture
from watcher.outbox.looks import look_of
from watcher.outbox.marker import Marker
from watcher.outbox.pictures import BadPicture, PictureFacts, look_at_picture
from watcher.outbox.renditions import copied, has_credentials, opened
from watcher.outbox.thumbnails import Thumbnails
from watcher.outbox.workbooks import Workbooks

__all__ = [
    "BadPicture",
    "Marker",
    "Outbox",
    "PictureFacts",
    "Thumbnails",
    "Workbooks",
    "copied",
    "fit_picture",
    "hangs",
    "has_credentials",
    "look_at_picture",
    "look_of",
    "opened",
    "told",
]
