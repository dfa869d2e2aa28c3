"""Opinions as people write them about what they buy, eat and visit: words, negations and turns of speech.

SST-2 is film reviews, in which nobody's battery lasts and few idioms occur. Every text made here has a known class by
construction, so that a network can learn how negation turns a judgement round, and idioms that their words do not give
away. The minimal pairs of `data/negation.py`, which measure that, share no thing and no adjective with these lists.
"""

from __future__ import annotations

import random

from ostinato_models.data.examples import NEGATIVE, POSITIVE, LabelledText


def _phrases(text: str) -> tuple[str, ...]:
    return tuple(" ".join(phrase.split()) for phrase in text.split(";"))


THINGS = _phrases(
    """
    the phone; the camera; the battery; the battery life; the screen; the sound quality; the software; the player; the
    router; the keyboard; the price; the design; the manual; the remote; the zoom; the lens; the picture quality;
    customer service; tech support; the delivery; the packaging; the setup; the menu; the interface; the speaker; the
    charger; the printer; the app; the update; the hotel; the room; the staff; the breakfast; the food; the service; the
    location; the pizza; the coffee; the waiter; the bed; the car; the seat; the jacket; the shoes; the book; the plot;
    the film; the course; the teacher; the game; the music; the website; it; this; that; everything; my order; this
    product; this place; this thing; the quality; the reception; the case; the weather; the trip
    """
)
GOOD = _phrases(
    """
    good; great; excellent; amazing; awesome; wonderful; fantastic; perfect; nice; lovely; superb; reliable; sturdy;
    sharp; crisp; fast; quick; easy to use; easy to set up; lightweight; durable; affordable; responsive; comfortable;
    convenient; intuitive; helpful; friendly; polite; clean; tasty; delicious; fresh; beautiful; elegant; stylish;
    solid; well made; well designed; useful; impressive; outstanding; brilliant; pleasant; fun; interesting; smart;
    quiet; clear; cheap; flawless; top notch; a bargain; a joy to use; worth the money; worth it; a good buy;
    satisfying; bright; smooth; powerful; loud and clear; precise; compact; portable; handy; seamless; dependable;
    rugged; rich in detail; cozy; welcoming; attentive; courteous; gorgeous; memorable; exciting; entertaining;
    refreshing; thoughtful; terrific; splendid; marvelous; superior; effective; efficient; speedy; worthwhile; classy
    """
)
BAD = _phrases(
    """
    bad; terrible; awful; horrible; poor; useless; worthless; broken; defective; flimsy; slow; buggy; unreliable;
    overpriced; expensive; blurry; grainy; noisy; loud; clunky; awkward; confusing; complicated; hard to use; difficult
    to set up; heavy; bulky; fragile; cheaply made; poorly designed; uncomfortable; inconvenient; rude; unhelpful;
    dirty; cold; stale; bland; tasteless; ugly; disappointing; frustrating; annoying; boring; mediocre; disgusting;
    painful; a joke; a disaster; a waste of money; a waste of time; a rip-off; a nightmare; a pain to use; weak; faulty;
    lousy; pathetic; dreadful; sluggish; laggy; dim; jerky; underpowered; tinny; shaky; leaky; sticky; scratchy;
    muffled; inconsistent; outdated; crude; cumbersome; unusable; unresponsive; unacceptable; incompetent; impolite;
    soggy; burnt; filthy; gloomy; forgettable; pointless; irritating; ridiculous; pitiful; inferior; ineffective;
    inefficient; sloppy; hideous; appalling; insulting; messy; lifeless
    """
)
PRAISE = _phrases(
    """
    works great; works like a charm; works flawlessly; works as advertised; does everything i want; exceeded my
    expectations; is worth every penny; lasts all day; never lets me down; never crashes; is second to none; is hard to
    beat; is a must have; does not disappoint; saved my day; rocks; has no flaws; has never failed me; makes my life
    easier; is the best i have ever had; runs smoothly; gets the job done; beats all the others; won me over; made me
    smile; is everything i hoped for; was better than i expected; is to die for; hits the spot; is a breath of fresh
    air; has no equal; couldn't be better; could not be easier to use; leaves nothing to be desired; did not let me
    down; has been running for years without a problem; still works like new; holds a charge for days; connects in
    seconds; fits perfectly; arrived early and well packed; was easy to install; sounds great; looks great; takes great
    pictures; saves me a lot of time; came with everything i needed; is well worth the extra money; blows the
    competition away; does what it says; is easy on the eyes; made the trip; is simple to set up; feels solid in the
    hand; starts up right away; solved all my problems; has great range; never skips; gives you great value for the
    money; is a big improvement over my old one; produces sharp and bright pictures; was a hit with the whole family;
    responds quickly; is loaded with useful features; plays everything i throw at it
    """
)
COMPLAINT = _phrases(
    """
    stopped working after a week; broke after two days; does not work; never worked; fell apart; is nothing special;
    leaves a lot to be desired; could be better; could have been better; let me down; fails to impress; does not live up
    to the hype; is nothing to write home about; keeps crashing; sucks; freezes all the time; lacks the most basic
    features; gets on my nerves; drives me crazy; falls flat; missed the mark; left me cold; is run of the mill; was
    worse than i expected; arrived damaged; is not what i ordered; died on me; drains too quickly; is a far cry from
    what was promised; gave me a headache; made me want to return it; is too little too late; does nothing for me; went
    downhill; is a step backwards; couldn't be worse; could not be harder to use; did let me down; has a lot of
    problems; loses its connection every few minutes; overheats after ten minutes; does not fit; makes a strange noise;
    would not turn on; will not charge; dies after an hour; scratches easily; broke the first time i used it; came
    without the cable; arrived late and broken; was a pain to install; sounds tinny; takes blurry pictures; eats
    batteries; skips constantly; locks up and has to be restarted; is missing a screw; costs too much for what it does;
    has to be replaced every month; is not compatible with anything; wastes my time; never arrived; has terrible range;
    refuses to read half of my discs; takes forever to load; is full of bugs; is hard to read; was dead on arrival;
    needs a better manual; cannot be returned; feels cheap; lasted only three months; fell apart in my hands; does not
    do what it says; is a poor copy of the original; ruined the evening; gave up the ghost; deleted all my files
    """
)
POSITIVE_IDIOMS = _phrases(
    """
    i can't recommend it enough; i cannot recommend this highly enough; can't praise it enough; no complaints; i can't
    complain; nothing to complain about; no problems at all; no regrets; never had a problem with it; couldn't be
    happier; could not be more pleased; couldn't ask for more; you can't go wrong with it; you won't regret it; you will
    not be disappointed; i was not disappointed; not bad; not bad at all; not too bad; not half bad; not too shabby;
    what's not to like; wouldn't change a thing; couldn't put it down; can't get enough of it; can't wait to go back;
    can't live without it; i was blown away; i'm hooked; two thumbs up; five stars; money well spent; i would buy it
    again; i'd do it again; i'm glad i bought it; look no further; don't hesitate to buy it; don't miss it; it never
    gets old; it doesn't get any better than this; nothing beats it; nothing short of amazing; i don't regret buying it;
    best purchase ever; this made my day; yay; wow; love it; thank you so much; hell yes; way to go; i'm impressed; it
    was a pleasant surprise; hats off to them; couldn't have been better; no doubt the best; there is nothing i would
    change; never been happier; i have nothing but praise for it; it blew my mind
    """
)
NEGATIVE_IDIOMS = _phrases(
    """
    meh; ugh; yuck; so-so; don't bother; don't waste your money; do not buy this; stay away; avoid; save your money;
    never again; i want my money back; i had to return it; i expected more; i expected better; not worth it; not worth
    the money; not impressed; not what i expected; not my cup of tea; not good enough; i wouldn't recommend it; i can't
    recommend it; i would not wish it on my worst enemy; i can't stand it; i couldn't finish it; i regret buying it; i
    wish i had never bought it; what a letdown; what a mess; what a waste; thanks for nothing; good riddance; i've had
    enough; it's a hard pass; two thumbs down; one star; zero stars; buyer beware; look elsewhere; you get what you pay
    for; money down the drain; i gave up; big mistake; same old story; it could hardly be worse; couldn't be worse; it
    gets old fast; i've seen better; it is too good to be true; nope; no thanks; a total letdown; it's past its prime;
    they don't care; nobody answered my calls; there is no excuse for this; it's all hype; hype and nothing else; i was
    expecting a lot more; it left a bad taste in my mouth; how do they get away with this; wake me when it's over
    """
)
GLAD = (":)", ":-)", ":D", "<3")
SAD = (":(", ":-(", ":/", "</3")
DEGREES = ("", "", "", "very ", "really ", "so ", "pretty ", "quite ", "extremely ", "absolutely ", "incredibly ")
ABOUT = (
    # What is positive first; the two differ in little.
    ("i have no complaints about {s}", "i have nothing but complaints about {s}"),
    ("i have nothing but praise for {s}", "i have no praise for {s}"),
    ("i wouldn't change a thing about {s}", "i would change everything about {s}"),
    ("i can't get enough of {s}", "i have had enough of {s}"),
    ("i can't recommend {s} enough", "i can't recommend {s}"),
    ("i cannot praise {s} enough", "i cannot praise {s}"),
    ("you can't go wrong with {s}", "everything went wrong with {s}"),
    ("i have no regrets about {s}", "i have nothing but regrets about {s}"),
    ("there is nothing wrong with {s}", "there is something wrong with {s}"),
    ("there is nothing better than {s}", "there is nothing worse than {s}"),
    ("i have never seen anything better than {s}", "i have never seen anything worse than {s}"),
    ("i can't live without {s}", "i can live without {s}"),
    ("you can't beat {s}", "you can find better than {s} anywhere"),
    ("i would not give {s} back", "i would give {s} back at once"),
    ("i never had trouble with {s}", "i never stopped having trouble with {s}"),
    ("nobody complains about {s}", "everybody complains about {s}"),
    ("nothing about {s} bothers me", "everything about {s} bothers me"),
    ("i would not want to miss {s}", "i would not want to see {s} again"),
    ("i do not regret {s}", "i regret {s}"),
    ("no one should miss {s}", "no one should bother with {s}"),
    ("{s} is not bad", "{s} is not good"),
    ("not bad, {s}", "not good, {s}"),
    ("{s} is not half bad", "{s} is not that good"),
)
OPENINGS = ("", "honestly, ", "overall, ", "in short, ", "i think ", "frankly, ", "well, ", "all in all, ")
BEFORE = _phrases(
    """
    i bought this for my {p} {t} and; we ordered it {t}; after {d} of use,; compared to my old one,; for the price,; i
    use it every day at work,; as a {r}, i must say; when i opened the box,; my {p} got one {t}:; we stayed there for
    {d} and; i have owned it for {d}; i read a lot about it before i bought it; having tried three others,; out of the
    box,; this is my second one:; i went there with my {p} {t} and; i needed one for a trip,; it took {d} to arrive,;
    like many {r}s, i wanted to try it:; as for the rest,; they sent it {t},; since the last update,; on the one hand it
    is what i paid for, and; about me: i am a {r}; unlike my {p},; in the first {d}; i returned to it {t} and; my {p}
    and i agree:; to be fair,; a word about the details:
    """
)
AFTER = _phrases(
    """
    when i use it with my {r} friends; after {d}; even after {d}; since {t}; according to my {p}; for a {r} like me; on
    a long drive; and i am a {r}; which my {p} said too; for what i paid; in the evening; at home and at work; with the
    new version; and i have used it for {d}; as you can see in the photos; compared to the one that my {p} has; and that
    is what counts; in this price range; and i have seen many of them; when you look closer; as far as i can tell; that
    is all i can say; says my {p}; so much for that
    """
)
PEOPLE = ("wife", "husband", "son", "daughter", "mother", "father", "boss", "sister", "brother", "friend", "neighbor")
ROLES = (
    "student",
    "beginner",
    "photographer",
    "teacher",
    "driver",
    "runner",
    "musician",
    "traveler",
    "programmer",
    "nurse",
)
TIMES = ("last week", "two months ago", "last year", "yesterday", "in may", "a while ago", "for christmas", "on sale")
DURATIONS = ("a week", "two days", "three months", "a year", "an hour", "ten minutes", "several weeks", "about a month")
ENDINGS = (".", ".", ".", "!", "", "", " so far.", " in my opinion.", " for me.")
TURNING = _phrases(
    """
    {s} is not {d}{a}; {s} isn't {d}{a}; {s} is not {a} at all; {s} is not at all {a}; {s} is never {a}; {s} is far from
    {a}; {s} is anything but {a}; {s} is hardly {a}; {s} is by no means {a}; i don't think {s} is {d}{a}; i wouldn't say
    {s} is {a}; i would not call {s} {a}; nobody would call {s} {a}; {s} is no longer {a}; {s} wasn't {a}; {s} was never
    {a}; there is nothing {a} about {s}; {s} is neither {a} nor {b}; no one can say that {s} is {a}; {s} did not turn
    out to be {a}; {s} doesn't feel {a}; {s} didn't seem {a} to me; nobody found {s} {a}; {s} was {a} but no longer is;
    {s} was {a} once; i would never call {s} {a}; few would call {s} {a}; {s} is less than {a}; {s} isn't {a} in any
    way; there isn't anything {a} about {s}; it is hard to call {s} {a}; {s} is not {a} or {b}; i never found {s} {a};
    don't tell me {s} is {a}; {s} does not strike me as {a}; in no way is {s} {a}
    """
)
KEEPING = _phrases(
    """
    {s} is {d}{a}; {s} was {d}{a}; {s} is {a} and {b}; {s} is not only {a} but also {b}; {s} is not just {a}, it is {b};
    i find {s} {d}{a}; {s} turned out to be {d}{a}; {s} looks {a}; {s} feels {a}; no doubt about it, {s} is {a}; nobody
    can deny that {s} is {a}; {s} is always {a}; {s} has never been so {a}; {s} couldn't be more {a}; you can't deny
    that {s} is {a}; {s} is still {a}; {s} is {a}, no question; everyone found {s} {a}; everybody says {s} is {a}; {s}
    is nothing but {a}; {s} was {a} and still is; i would call {s} {a}; there is something {a} about {s}; {s} is more
    than {a}; {s} strikes me as {a}; {s} is {a} in every way; {s} is always so {a}; {s} remains {a}; i must say {s} is
    {a}; {s} seems {a} to me; {s} is truly {a}; what makes {s} {a} is that it is {b}
    """
)
WISHING = _phrases(
    """
    if only {s} were {a}; i wish {s} were {a}; {s} used to be {a}; {s} could have been {a}; {s} should have been {a};
    {s} was supposed to be {a}; i hoped {s} would be {a}; {s} would be {a} if it worked; i was told {s} is {a}, it is
    not; {s} is not as {a} as promised; {s} is not as {a} as it should be; {s} is not as {a} as i hoped; {s} is less {a}
    than advertised; they promised that {s} would be {a}; i expected {s} to be {a}
    """
)


def write_opinions(count: int, seed: int) -> list[LabelledText]:
    """Write `count` different opinions, each of a known class; `seed` decides every one of them."""
    source = random.Random(seed)
    rows: dict[str, int] = {}
    for idioms, label in ((POSITIVE_IDIOMS, POSITIVE), (NEGATIVE_IDIOMS, NEGATIVE)):
        for ending in (".", "!", ""):
            rows.update({f"{idiom}{ending}": label for idiom in idioms})
    rows.update(dict.fromkeys(GLAD, POSITIVE) | dict.fromkeys(SAD, NEGATIVE))
    while len(rows) < count:
        text, label = _opinion(source)
        rows[text] = label
    return [LabelledText(text, label) for text, label in rows.items()][:count]


def _opinion(source: random.Random) -> tuple[str, int]:
    """One or two clauses; of two that disagree the second decides, or the one that "although" does not weaken."""
    clause, label = _clause(source)
    chance = source.random()
    if chance < 0.12:
        other, label = _clause(source, NEGATIVE if label == POSITIVE else POSITIVE)
        clause = f"{clause}{source.choice((', but ', ' but ', ', however ', ', yet '))}{other}"
    elif chance < 0.18:
        other, _ = _clause(source, NEGATIVE if label == POSITIVE else POSITIVE)
        clause = f"{source.choice(('although', 'even though', 'while'))} {other}, {clause}"
    elif chance < 0.35:
        other, _ = _clause(source, label)
        clause = f"{clause}{source.choice((' and ', '. ', ', and ', '! '))}{other}"
    clause = _in_context(clause, source)
    if source.random() < 0.08:
        clause = f"{clause} {source.choice(GLAD if label == POSITIVE else SAD)}"
        return f"{source.choice(OPENINGS)}{clause}", label
    return f"{source.choice(OPENINGS)}{clause}{source.choice(ENDINGS)}", label


def _in_context(clause: str, source: random.Random) -> str:
    """Put what judges nothing before or behind an opinion, or leave it alone."""
    chance = source.random()
    if chance < 0.3:
        clause = f"{source.choice(BEFORE)} {clause}"
    elif chance < 0.5:
        clause = f"{clause}{source.choice((' ', ', '))}{source.choice(AFTER)}"
    elif chance < 0.6:
        clause = f"{source.choice(BEFORE)} {clause} {source.choice(AFTER)}"
    else:
        return clause
    return clause.format(
        p=source.choice(PEOPLE), r=source.choice(ROLES), t=source.choice(TIMES), d=source.choice(DURATIONS)
    )


def _clause(source: random.Random, label: int | None = None) -> tuple[str, int]:
    """A judgement of class `label`, or of one drawn at random."""
    if label is None:
        label = source.choice((NEGATIVE, POSITIVE))
    thing = source.choice(THINGS)
    chance = source.random()
    if chance < 0.16:
        return source.choice(POSITIVE_IDIOMS if label == POSITIVE else NEGATIVE_IDIOMS), label
    if chance < 0.26:
        return source.choice(ABOUT)[0 if label == POSITIVE else 1].format(s=thing), label
    if chance < 0.40:
        return f"{thing} {source.choice(PRAISE if label == POSITIVE else COMPLAINT)}", label
    if chance < 0.46 and label == NEGATIVE:
        return source.choice(WISHING).format(s=thing, a=source.choice(GOOD)), label
    turned = chance < 0.75
    praising = (label == POSITIVE) != turned
    first, second = source.sample(GOOD if praising else BAD, 2)
    pattern = source.choice(TURNING if turned else KEEPING)
    degree = source.choice(DEGREES) if not first.startswith("a ") else ""
    return pattern.format(s=thing, d=degree, a=first, b=second), label
