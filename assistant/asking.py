"""Asking: whether a question asks for words, those that were read or those that were heard, and what it is about.

    "what did the sign at the shop say?"  read      "what did she say about the bus?"  heard
    "what is the name of the man?"        either    "where did I put the note?"        none: it asks for a place

Tables of English words; this file does not know where the answer comes from.
"""

import re
from typing import Literal

Kind = Literal["read", "heard", "either"]


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


CARRIERS = _set(
    "sign signs signpost label labels menu menus letter letters poster posters note notes page pages book books"
    " whiteboard blackboard board billboard banner screen screens display monitor slide slides ticket tickets receipt"
    " receipts sticker plate newspaper magazine article headline instructions recipe timetable schedule packaging"
    " package badge envelope leaflet brochure notice caption subtitle clock"
)
PLAIN_CARRIERS = (
    "sign|label|menu|poster|whiteboard|blackboard|billboard|banner|screen|slide|ticket|receipt|badge|notice|leaflet"
)
SPEAKING_OR_SHOWING = _set(
    "it this that message messages email text phone tv television radio app shop store computer machine"
    " advertisement ad news announcement board website"
)
PRONOUNS = _set("i you he she we they it this that who anyone anybody someone somebody everyone everybody nobody")
SAYING = _set(
    "say says said tell tells told mention mentions mentioned talk talked speak spoke spoken discuss discussed ask"
    " asked announce announced explain explained promise promised suggest suggested recommend recommended answer"
    " answered reply replied claim claimed warn warned hear heard"
)
SHOWING = _set("read reads show shows showed shown display displays displayed list lists listed state states")
DOING = _set("put leave lay place pick take get go keep hide drop set use have see find buy give open")
PREPOSITIONS = re.compile(r" (?:at|on|in|of|by|with|from|outside|inside|above|behind|near|for|next|over|beside|under) ")

_DID, _IS = r"(?:did|does|do|has|have|had)", r"(?:is|was|are|were|stood|has been|had been)"
CLAUSE = re.compile(
    rf"\b(?:{_DID}|what) (?P<subject>(?:(?!(?:{_DID}|{_IS}) )\w+ ){{1,6}}?)"
    rf"(?P<verb>{'|'.join(sorted(SAYING | SHOWING))})\b"
)
FORMS: tuple[tuple[re.Pattern[str], Kind], ...] = (
    (re.compile(rf"^(?:what|which|how)\b.*\b{_IS}\b.*\b(?:written|printed|spelled|scribbled)\b"), "read"),
    (re.compile(r"^(?:what|which) (?:texts?|words?|wording|headline|title|caption|slogan)\b"), "read"),
    (re.compile(rf"^what {_IS} on (?:the|my|that|this|a|his|her|our) (?:\w+ )?(?:{PLAIN_CARRIERS})s?\b"), "read"),
    (re.compile(r"^(?:what|which|who) (?:\w+ ){0,3}(?:said|told|mentioned|announced|discussed)\b"), "heard"),
    (re.compile(rf"^(?:what|who) {_IS} (?:\w+ ){{1,4}}(?:saying|telling|talking|speaking|asking)\b"), "heard"),
    (re.compile(rf"^what {_IS} (?:the|that|our|my|their) (?:conversation|discussion|talk|call) about\b"), "heard"),
    (re.compile(rf"^(?:what|which) {_IS} (?:the|his|her|their|its) (?:\w+ ){{0,2}}?(?:names?|price|address|password|"
                r"title|text|opening hours|number(?! of))\b"), "either"),
)  # fmt: skip

STOP = _set(
    "a an the this that these those i you he she it we they me him her us them my your his its our their mine who whom"
    " whose what which where when why how was were is are be been am do does did has have had can could will would"
    " shall should may might must at on in of to from with by for about into onto over under up down off out and or but"
    " not no yes if than then so as there here please last first ever just again also any some somebody someone anybody"
    " anyone everybody something anything everything thing things time times many much often today yesterday now before"
    " after while during s t d put puts leave left lay laid place placed pick picked see saw seen find found get got"
    " take took use used go went give gave written write wrote printed word words text talking saying"
)


def asks_for_words(question: str) -> Kind | None:
    """Whether a question asks for words that were read, or heard, or one of both; None where it asks something else."""
    text = re.sub(r"\b(what|who|that)'s\b", r"\1 is", question.lower().replace("’", "'"))
    text = " ".join(re.findall(r"\w+", text))
    for clause in CLAUSE.finditer(text):
        kind = _kind_of_clause(clause["subject"].strip(), clause["verb"])
        if kind:
            return kind
    return next((kind for form, kind in FORMS if form.search(text)), None)


def _kind_of_clause(subject: str, verb: str) -> Kind | None:
    """Who says, tells or shows it decides whether it was heard or read."""
    first, *others = subject.split()
    if set(others) & (PRONOUNS | DOING) or (first in PRONOUNS and others):
        return None  # the verb is of another clause: "where did I put the book that she read"
    head = set(PREPOSITIONS.split(f" {subject} ")[0].split())
    if head & CARRIERS:
        return "read"
    if verb in SHOWING:
        return "read" if first in ("i", "we", "it") and verb in ("read", "reads") else None
    return "either" if head & SPEAKING_OR_SHOWING and verb not in ("hear", "heard") else "heard"


def content_words(question: str) -> list[str]:
    """The words of a question that say what it is about, in lower case."""
    words = re.findall(r"\w+", question.lower())
    return [word for word in words if word not in STOP and word not in SAYING and word not in SHOWING]
