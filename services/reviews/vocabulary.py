"""The words of availability: days, months, parts of the day, zones, and the words that carry no time.

Data only. A word that is in none of these tables is reported to whoever wrote it, never guessed.
"""

DAY_NAMES = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")

SHORT_DAYS = {
    "mo": 0, "mon": 0, "mons": 0,
    "tu": 1, "tue": 1, "tues": 1,
    "we": 2, "wed": 2, "weds": 2, "wedn": 2,
    "th": 3, "thu": 3, "thr": 3, "thur": 3, "thurs": 3, "thus": 3,
    "fr": 4, "fri": 4, "fris": 4,
    "sa": 5, "sat": 5, "sats": 5,
    "su": 6, "sun": 6, "suns": 6,
}  # fmt: skip
# English words that are days only beside another day or right before a clock.
DAYS_BY_COMPANY = frozenset({"we", "thus"})
# Letters that are days only in a list of their own kind ("M/W/F", "M-Th") or, in capitals, right before a clock.
LETTER_DAYS = {"m": 0, "t": 1, "w": 2, "r": 3, "f": 4}
# The parts of academic short forms, longest first ("TuTh", "MTWThF", "MTWRF").
CODE_PARTS = (("tu", 1), ("th", 3), ("sa", 5), ("su", 6), ("m", 0), ("t", 1), ("w", 2), ("r", 3), ("f", 4))
# Lower case is too near to ordinary words: only these are read.
LOWER_CODES = frozenset(
    {"mwf", "mw", "wf", "tth", "tuth", "mtw", "mtwth", "mtwthf", "mtwrf", "mtwr", "mwth", "twth", "mtth", "tthf"}
)

WEEKDAYS = frozenset(range(5))
WEEKEND = frozenset({5, 6})
WEEK = frozenset(range(7))
DAY_SETS = {
    "weekday": WEEKDAYS, "weekdays": WEEKDAYS, "workday": WEEKDAYS, "workdays": WEEKDAYS, "wkdays": WEEKDAYS,
    "weeknight": WEEKDAYS, "weeknights": WEEKDAYS, "weekday's": WEEKDAYS,
    "weekend": WEEKEND, "weekends": WEEKEND, "wkend": WEEKEND, "wkends": WEEKEND,
    "everyday": WEEK, "daily": WEEK,
}  # fmt: skip
# Words that make "day(s)" every day, and those that make it Monday to Friday.
EVERY = frozenset({"every", "any", "each", "all"})
WORKING = frozenset({"business", "working", "work", "week"})

MONTHS = {
    "jan": 1, "january": 1, "feb": 2, "february": 2, "mar": 3, "march": 3, "apr": 4, "april": 4, "may": 5,
    "jun": 6, "june": 6, "jul": 7, "july": 7, "aug": 8, "august": 8, "sep": 9, "sept": 9, "september": 9,
    "oct": 10, "october": 10, "nov": 11, "november": 11, "dec": 12, "december": 12,
}  # fmt: skip

NUMBERS = {
    "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10,
    "eleven": 11, "twelve": 12,
}  # fmt: skip
MINUTE_WORDS = {"five": 5, "ten": 10, "fifteen": 15, "twenty": 20, "thirty": 30, "forty": 40, "fifty": 50}
COUNTS = {**NUMBERS, "a": 1, "an": 1, "couple": 2}

# Minutes of the day; a day without a time is DAY.
DAY = (8 * 60, 21 * 60)
PERIODS = {
    "morning": (8 * 60, 12 * 60),
    "early morning": (6 * 60, 9 * 60),
    "lunch": (12 * 60, 13 * 60),
    "afternoon": (12 * 60, 17 * 60),
    "late afternoon": (15 * 60, 17 * 60),
    "evening": (17 * 60, 21 * 60),
    "night": (20 * 60, 23 * 60),
}
# Where a clock without am or pm is looked for when a period word stands by it.
PERIOD_HALVES = {
    "morning": (0, 12 * 60),
    "early morning": (0, 12 * 60),
    "lunch": (11 * 60, 14 * 60),
    "afternoon": (12 * 60, 18 * 60),
    "late afternoon": (12 * 60, 18 * 60),
    "evening": (16 * 60, 24 * 60),
    "night": (17 * 60, 30 * 60),
}
PERIOD_WORDS = {
    "morning": "morning", "mornings": "morning", "morn": "morning", "mornin": "morning",
    "afternoon": "afternoon", "afternoons": "afternoon", "aft": "afternoon", "arvo": "afternoon",
    "evening": "evening", "evenings": "evening", "eve": "evening", "eves": "evening", "evng": "evening",
    "night": "night", "nights": "night", "nite": "night", "nites": "night", "nighttime": "night",
    "lunch": "lunch", "lunchtime": "lunch", "lunchtimes": "lunch", "lunches": "lunch",
}  # fmt: skip
QUALIFIERS = frozenset({"early", "late", "mid", "later", "earlier"})
# Times that people name and that have no agreed hours: reported, and the day beside them is not used.
UNDEFINED_TIMES = frozenset({
    "breakfast", "brunch", "dinner", "dinnertime", "supper", "teatime", "dawn", "dusk", "sunrise", "sunset",
    "eod", "cob", "eob", "overnight", "late", "early", "bedtime", "midmorning", "midafternoon",
})  # fmt: skip
# Words that make "hours" or "time" a time nobody defined ("business hours").
UNDEFINED_HOURS = frozenset(
    {"business", "office", "working", "work", "school", "class", "normal", "regular", "usual", "core"}
)

EASTERN, CENTRAL, MOUNTAIN, PACIFIC = "America/New_York", "America/Chicago", "America/Denver", "America/Los_Angeles"
ZONES = {
    "et": EASTERN, "est": EASTERN, "edt": EASTERN, "eastern": EASTERN,
    "ct": CENTRAL, "cst": CENTRAL, "cdt": CENTRAL, "central": CENTRAL,
    "mt": MOUNTAIN, "mst": MOUNTAIN, "mdt": MOUNTAIN, "mountain": MOUNTAIN,
    "pt": PACIFIC, "pst": PACIFIC, "pdt": PACIFIC, "pacific": PACIFIC,
    "utc": "UTC", "gmt": "UTC", "z": "UTC", "zulu": "UTC",
}  # fmt: skip
ZONE_NOUNS = frozenset({"eastern", "central", "mountain", "pacific"})
# Abbreviations that mean different places to different people: reported.
UNKNOWN_ZONES = frozenset({
    "cet", "cest", "bst", "ist", "aest", "aedt", "acst", "awst", "jst", "kst", "sgt", "hkt", "pht", "wib", "msk", "eet",
    "eest", "wet", "west", "hst", "hdt", "ht", "akst", "akdt", "akt", "ast", "adt", "nst", "ndt", "brt", "art", "clt", "cot",
    "pet", "nzst", "nzdt", "sast", "wat", "cat", "eat", "gst", "pkt", "bjt", "cist", "mez", "mesz", "ict", "npt", "trt",
})  # fmt: skip
# Of these, the ones that are ordinary words too: zones only in capitals.
ZONES_IN_CAPITALS = frozenset(
    {"et", "ct", "mt", "pt", "z", "west", "art", "cat", "eat", "pet", "cot", "wet", "ht", "wat", "ist", "ast", "sgt"}
)

DURATION_UNITS = {
    "minute": 1, "minutes": 1, "min": 1, "mins": 1, "hour": 60, "hours": 60, "hr": 60, "hrs": 60, "h": 60,
}  # fmt: skip
# After a number these say that it is not a time of day.
COUNTED = frozenset({
    *DURATION_UNITS, "times", "time", "people", "days", "day", "weeks", "week", "months", "sessions", "slots", "slot", "kids", "years",
    "year", "classes", "meetings", "pages", "x", "percent", "st", "nd", "rd", "th", "usd", "points", "resumes", "reviews", "hour", "minutes",
})  # fmt: skip
ORDINAL_SUFFIXES = frozenset({"st", "nd", "rd", "th"})
# "the 5th floor" is no date.
ORDINAL_NOUNS = frozenset(
    {
        "floor",
        "grade",
        "year",
        "avenue",
        "ave",
        "street",
        "semester",
        "time",
        "choice",
        "round",
        "period",
        "week",
        "hour",
    }
)

AFTER = frozenset({"after", "past", "since"})
FROM = frozenset({"from", "starting", "beginning", "commencing"})
BEFORE = frozenset({"before", "until", "till", "til", "untill", "by", "prior"})
RANGE_WORDS = frozenset({"to", "til", "till", "until", "untill", "thru", "through"})
ONWARDS = frozenset({"onward", "onwards", "on", "later", "after", "beyond", "forward", "earliest"})
APPROXIMATE = frozenset({"around", "about", "approx", "approximately", "roughly", "circa", "~"})

NEGATIONS = frozenset({
    "not", "no", "except", "excepting", "excluding", "exclude", "excl", "never", "cant", "cannot", "wont", "dont", "doesnt", "isnt",
    "arent", "unavailable", "busy", "without", "minus", "neither", "nor", "besides", "barring", "couldnt", "wouldnt", "didnt", "none",
    "nope", "booked", "away", "bad", "impossible", "avoid", "class", "classes", "lecture", "lectures", "lab", "labs", "exam", "exams",
    "appointment", "appointments", "shift", "shifts",
})  # fmt: skip
# Two words that exclude.
NEGATION_PAIRS = frozenset({
    ("apart", "from"), ("other", "than"), ("aside", "from"), ("but", "not"), ("just", "not"), ("anything", "but"), ("except", "for"),
    ("out", "on"), ("out", "of"), ("save", "for"), ("is", "out"), ("are", "out"), ("and", "not"), ("exception", "of"), ("n", "a"),
    ("i", "work"), ("im", "working"), ("have", "work"), ("at", "work"),
})  # fmt: skip
# After these, "but" excludes ("any day but Friday").
UNIVERSAL = frozenset(
    {"day", "days", "anytime", "time", "anything", "everyday", "daily", "whenever", "weekday", "weekdays"}
)
OTHERWISE = frozenset({"otherwise", "else"})
ANY_TIME = frozenset({"anytime", "whenever", "allday", "anytimes"})

AND_WORDS = frozenset({"and", "plus", "n", "then", "also", "&", "+", "as"})
OR_WORDS = frozenset({"or", "alternatively"})

# Words that carry no time of their own. Everything else that is not understood is reported.
SILENT = """
a able about above absolutely actually afterward afterwards again ahead all alright also always am an any anyone anything anyway are around
as asap ask at avail availabilities availability available availble availible avaliable be because been being best better between bit both
but call calls can chat check cheers choice come coming cool could currently date dates day days dear definitely discuss do does doing done
during each easiest easy either email ends entire especially etc every everything exactly fairly fantastic feel fine first flexible
following follows for free freely friendly from fully generally get give glad go going gonna good got great greetings guys happy has have
having hello help here hey hi hope hour hours how hrs i id ideal ideally if ill im in include included includes including inclusive
interview is ish it its ive join just kind kinda kindly know least let lets like likely local looking love made make many may maybe me meet
meeting meetings meets might mine must my myself name need needs nice normally noted now oclock of off often ok okay on once one ones only
onto onwards open option options or other ours out over own particular perfect perfectly perhaps please pls plz possible possibly pref
prefer preferable preferably prefered preference preferences preferrably preferred pretty probably quite re ready really regards
respectively resume review reviews right say schedule scheduled scheduling see sent session sessions set shall sharp should slot slots so
some something sometime somewhere soon sorry sorta sounds start starts still stuff suit suitable suits sure take talk tell thank thanks
thankyou that thats the their them then there these they thing things think this those throughout thx time times timeslot timeslots timezone
timing to too totally truly try ty typically tz u until us usual usually very via want was we well were what whatever when where which
whichever who whole will window windows wish with within wonderful work working works would ya yea yeah yep yes yet you your youre yours yup
zone
"""
FILLERS = frozenset(SILENT.split())
# Fillers that would be a mistake to skip where they qualify a day ("every other Monday", "last Friday").
RARE_DAYS = frozenset(
    {
        "other",
        "alternate",
        "alternating",
        "second",
        "2nd",
        "third",
        "first",
        "last",
        "past",
        "fourth",
        "previous",
        "biweekly",
    }
)
# Abbreviations whose dot ends no sentence.
DOTTED = frozenset(
    {
        *SHORT_DAYS,
        *MONTHS,
        "am",
        "pm",
        "approx",
        "excl",
        "min",
        "mins",
        "hr",
        "hrs",
        "vs",
        "e",
        "g",
        "i",
        "ca",
        "etc",
        "a",
        "p",
    }
)
