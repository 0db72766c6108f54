"""What an export says about itself, in words that need neither this program nor its time.

This file knows the folder's contents by name only.
"""

README = """\
A MEMORY, AS PLAIN FILES

Somebody wore a camera on the head. A program called Whereabouts kept pictures, sounds and words of what the wearer
saw and heard, and wrote this folder so that all of it can be read without that program.
These files are not encrypted: whoever can read this folder can see and hear everything in it.

TIMES
Every time is given twice. Names ending in _at (captured_at, started_at, ...) are seconds since 1970-01-01 00:00:00
UTC, without leap seconds. Names ending in _iso are the same time as the wearer's own clock showed it (ISO 8601), with
its distance from UTC: 2026-11-20T09:15:02.123456+01:00 is 08:15:02 in UTC. zone_offset_s is that distance in seconds,
east of Greenwich positive. Questions (turns) and pins have no zone, their _iso times are in UTC.
A span of time holds its beginning and not its end. Durations and units are in the names: _s seconds, _px pixels.

FILES
pictures/DAY/TIME+ZONE.jpg
    Every picture, in JPEG. The folder is the wearer's local day, the name the local hour, minute, second and
    microsecond, and the distance of that clock from UTC: 091502.123456+0100.jpg. The same time stands in the EXIF
    part of the picture (DateTimeOriginal, SubSecTimeOriginal, OffsetTimeOriginal) with the camera (ImageDescription).
    That EXIF part, the first segment of the file, was added by the export; the rest is as it was kept.
sounds/DAY/TIME+ZONE.ogg
    Pieces of sound of about ten seconds, Opus in Ogg, one channel, named by their beginnings as pictures are.
films/SESSION.mp4
    The pictures of one session as a film (H.264 in MP4), smaller than the pictures themselves. It runs as long as the
    session did: each picture stands until the next one; black is a gap, in which nothing was seen.
transcripts/SESSION.vtt
    What was said in that session, in [square brackets] what was written in view, and in (round ones) what the wearer
    noted: subtitles (WebVTT) for the film of the same name, counted from its first picture (from the session's start
    where there is no film).

Rows of tables, in JSON Lines (a line is a row, in UTF-8):
sessions.jsonl     One camera worn continuously: source (the camera), why it ended, how many pictures a second were
                   wanted, heartbeat_at (last sign of life of the recorder), and its film and subtitles.
keyframes.jsonl    The pictures. id is captured_at in microseconds (raised by one where taken). novelty: 0 is the same
                   picture as the one kept before, 1 a wholly new one. reduced: only a small picture was kept, as it
                   showed little. read: what is written in it was looked for.
gaps.jsonl         Parts of a session in which nothing was seen, and why; "forgotten" is what the wearer had deleted.
sounds.jsonl       The pieces of sound. heard: their speech was written down.
transcripts.jsonl  Words with their times. source is "speech", "scene-text" (written in view) or "note" (what the
                   wearer wrote to that time), engine the program that wrote them down, or "wearer", confidence its own
                   trust in them from 0 to 1.
moments.jsonl      What one session saw in one half minute of the clock: when, how many pictures, the best of them, and
                   the words whose beginning was heard then. For reading only: all of it follows from the others.
turns.jsonl        Questions that were asked, the answers, and the ids of the pictures that were shown as evidence.
                   seen: the answer was found in the pictures. checkpoint: the model that answered.
pins.jsonl         Spans that must never be deleted by themselves.

whereabouts.json   Written last: what this is, in which version, and how much. Without it the export is incomplete.
whereabouts.sha256 A SHA-256 checksum of every other file. To see that nothing has changed: sha256sum -c --quiet
                   whereabouts.sha256

If only a span was exported, sessions, gaps and pins are cut at its edges; sounds, words and questions that reach over
an edge are left out whole.
To have the memory back in Whereabouts: whereabouts import THIS_FOLDER --memory NEW_FOLDER
"""
