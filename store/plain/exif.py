"""The time of a picture inside the picture: one EXIF segment put in front of everything else in a JPEG, and taken out.

Not one byte of the JPEG itself is changed, whatever other segments it has, EXIF among them. What does not begin as a
JPEG does is left as it is. This file does not know files or memories.
"""

from datetime import datetime

from PIL import Image

START_OF_IMAGE, APP1 = b"\xff\xd8", b"\xff\xe1"
EXIF = b"Exif\0\0"
SOFTWARE = "Whereabouts"
LONGEST_NAME_BYTES = 1000  # of a camera: a segment has room for 64 KiB
# Tags of EXIF 2.32
IMAGE_DESCRIPTION, SOFTWARE_TAG, EXIF_FOLDER = 0x010E, 0x0131, 0x8769
DATE_TIME_ORIGINAL, OFFSET_TIME_ORIGINAL, SUB_SEC_TIME_ORIGINAL = 0x9003, 0x9011, 0x9291


def with_time(jpeg: bytes, taken: datetime, camera: str) -> bytes:
    """The JPEG with an EXIF segment that says when (an aware local time) and with what it was taken."""
    if not jpeg.startswith(START_OF_IMAGE):
        return jpeg
    content = _content(taken, camera)
    segment = APP1 + (2 + len(content)).to_bytes(2, "big") + content
    return START_OF_IMAGE + segment + jpeg[len(START_OF_IMAGE) :]


def without_time(jpeg: bytes) -> bytes:
    """What `with_time` was given. ValueError if its segment is not there."""
    if not jpeg.startswith(START_OF_IMAGE):
        return jpeg
    end = 4 + int.from_bytes(jpeg[4:6], "big")
    segment = jpeg[2:end]
    if not segment.startswith(APP1) or segment[4:10] != EXIF or SOFTWARE.encode() not in segment:
        raise ValueError("it has not the EXIF segment that the export put into it")
    return START_OF_IMAGE + jpeg[end:]


def _content(taken: datetime, camera: str) -> bytes:
    exif = Image.Exif()
    exif[IMAGE_DESCRIPTION] = camera.encode()[:LONGEST_NAME_BYTES].decode(errors="ignore").encode()
    exif[SOFTWARE_TAG] = SOFTWARE
    times = exif.get_ifd(EXIF_FOLDER)
    times[DATE_TIME_ORIGINAL] = f"{taken:%Y:%m:%d %H:%M:%S}"
    times[OFFSET_TIME_ORIGINAL] = f"{taken:%z}"[:3] + ":" + f"{taken:%z}"[3:5]
    times[SUB_SEC_TIME_ORIGINAL] = f"{taken:%f}"
    return exif.tobytes()
