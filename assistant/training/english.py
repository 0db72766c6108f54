"""As much English as questions about a kitchen need: tenses, plurals, and words that may mean the same thing.

Small tables and a few rules. This file does not know narrations.
"""

import re
from collections.abc import Iterable
from functools import cache


def listed(text: str) -> frozenset[str]:
    """A set of words, written in a row."""
    return frozenset(text.split())


# plain form: simple past, where the rule below would be wrong
_PAST = dict(
    pair.split(":")
    for pair in listed(
        "beat:beat bend:bent blow:blew break:broke bring:brought cut:cut drink:drank eat:ate fit:fitted get:got "
        "give:gave grind:ground hang:hung hit:hit hold:held keep:kept lay:laid leave:left light:lit make:made put:put "
        "read:read set:set shake:shook slide:slid spill:spilled split:split spread:spread stick:stuck sweep:swept "
        "take:took tear:tore throw:threw tie:tied transfer:transferred undo:undid unplug:unplugged unwrap:unwrapped "
        "unzip:unzipped wear:wore wring:wrung"
    )
)

# Words for the same thing, or for things that one narrator may call by either name.
_THING_KIN = (
    "pan saucepan pot skillet wok frypan casserole", "fridge refrigerator freezer",
    "hob stove cooker stovetop burner gas flame heat fire", "bin trash garbage rubbish waste recycling dustbin",
    "cupboard cabinet closet shelf locker", "plate dish saucer", "cloth rag towel napkin tissue",
    "counter countertop worktop surface table tabletop", "cup mug glass beaker tumbler",
    "container tupperware box lunchbox tub", "bag package packet packaging pack wrapper sachet plastic", "can tin",
    "colander sieve strainer drainer rack", "spatula turner slice", "cutlery silverware utensil", "board block",
    "lid cover cap top", "detergent soap liquid", "tap faucet water", "jug pitcher carafe", "yoghurt yogurt",
    "chilli chili chilly pepper", "aubergine eggplant", "courgette zucchini", "peel skin peeling", "oven microwave",
    "spice herb seasoning", "dishwasher washer", "leftover remain food", "spoon teaspoon tablespoon ladle",
    "light lamp",
)  # fmt: skip
_VERB_KIN = (
    "wash rinse clean scrub soap lather wipe scour soak damp wet brush sweep", "dry wipe", "peel skin strip grate",
    "cut chop slice dice halve mince shred trim divide split break tear debone crush",
    "stir mix whisk beat combine move", "flip turn rotate toss", "empty drain pour strain", "squeeze press wring",
    "put insert add pour throw drop lay hang transfer return store discard move tip spoon scoop sprinkle spread "
    "drizzle apply scrape slide load toss pack attach fit",
    "pick_up take_off remove pull lift gather hold extract collect unload carry", "check inspect look touch test",
    "eat taste drink", "fold roll", "cook fry boil heat stir-fry", "cover wrap seal", "adjust set change turn",
    "shape form roll knead",
)  # fmt: skip
_WHOLE = listed("pick_up take_off turn_on turn_off turn_up turn_down")


def past(verb: str) -> str:
    """The simple past of a verb in plain form, its particle kept: "pour out" -> "poured out"."""
    word, space, particle = verb.partition(" ")
    return _past(word) + space + particle


def _past(word: str) -> str:
    if word in _PAST:
        return _PAST[word]
    if word.endswith("e"):
        return f"{word}d"
    if re.search(r"[^aeiou]y$", word):
        return f"{word[:-1]}ied"
    return f"{word}{word[-1]}ed" if re.fullmatch(r"[^aeiou]*[aeiou][^aeiouwxy]", word) else f"{word}ed"


def plain_form(word: str, verbs: Iterable[str]) -> str:
    """The verb among `verbs` of which `word` is the plain form, the -s form or the -ing form; "" if of none."""
    stems = [word]
    if word.endswith("s"):
        stems += [word[:-1], word[:-2], f"{word[:-3]}y"]
    if word.endswith("ing"):
        stem = word[:-3]
        stems += [stem, f"{stem}e", stem[:-1]] if len(stem) > 1 and stem[-1] == stem[-2] else [stem, f"{stem}e"]
    return next((stem for stem in stems if stem in verbs), "")


@cache
def singular(word: str) -> str:
    """One of them; for comparing, so "cookies" and "cookie" agree even where the spelling is none."""
    if word.endswith("ves") and word not in ("olives", "cloves", "chives", "gloves", "endives", "stoves"):
        return word[:-3] + ("fe" if word in ("knives", "wives") else "f")
    if word.endswith("ies"):
        return f"{word[:-3]}y"
    if re.search(r"(ss|sh|ch|x|z|o)es$", word):
        return word[:-2]
    if word.endswith("ie"):
        return f"{word[:-2]}y"
    return word[:-1] if word.endswith("s") and not word.endswith(("ss", "us", "is")) else word


def is_plural(thing: str) -> bool:
    """Whether a person would say "them": "spring onions", but not "glass" nor "bag of peas"."""
    head = thing.split(" of ")[0].split()[-1]
    return singular(head) != head and not head.endswith("ie")


@cache
def kin(word: str) -> str:
    """The word that stands for all that may be meant by this one."""
    one = singular(word)
    return next((names.split()[0] for names in _THING_KIN if one in names.split()), one)


@cache
def kindred_verbs(verb: str) -> frozenset[str]:
    """All verbs, as `verb_root` gives them, by which a narrator may have told the same act."""
    root = verb_root(verb)
    return frozenset([root]).union(*(group.split() for group in _VERB_KIN if root in group.split()))


@cache
def verb_root(verb: str) -> str:
    """The verb without a particle that changes little ("wash up"), and as one word with one that matters."""
    word = verb.replace(" ", "_")
    return word if word in _WHOLE else verb.split()[0]
