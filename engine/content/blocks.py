"""The hard blocks, as rows: what no message may say, in English, French, Spanish and German.

Rows are written in the plain letters of `engine.content.normalise`, without diacritics. A blank in a row stands for up
to three signs of any kind or none, so `kill your self` also reads `kill-yourself` and `killyourself`; a row matches
whole words only. `spare` is what may stand before a match to make it harmless, such as a refusal or a warning.

All languages are looked at whatever the message is written in: a block that asks for the language first is passed by
naming the wrong one.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum


class Category(StrEnum):
    """What a block protects, the gravest first."""

    MINORS = "minors"
    NON_CONSENT = "non_consent"
    SELF_HARM = "self_harm"
    THREATS = "threats"
    DOXXING = "doxxing"
    PAYMENT = "payment"


@dataclass(frozen=True, slots=True)
class Row:
    """One block. `reason` completes *the text …* and quotes nothing of it: reasons travel in events."""

    category: Category
    reason: str
    pattern: re.Pattern[str]
    spare: re.Pattern[str] | None = None
    proves: Callable[[str], bool] | None = None  # a check digit or the like; None: the pattern is proof

    def finds(self, text: str) -> bool:
        """Whether the text says it."""
        for match in self.pattern.finditer(text):
            before = text[max(0, match.start() - _LOOK_BACK) : match.start()]
            if self.spare and self.spare.search(before):
                continue
            if self.proves is None or self.proves(match.group()):
                return True
        return False


_LOOK_BACK = 64  # characters before a match in which a spare is looked for
_GAP = r"[\W_]{0,3}"


def words(*rows: str) -> re.Pattern[str]:
    """A pattern of any of the rows, as whole words."""
    return re.compile(r"(?<!\w)(?:" + "|".join(row.replace(" ", _GAP) for row in rows) + r")(?!\w)")


def before(*rows: str) -> re.Pattern[str]:
    """A pattern of words that stand right before a match, or with up to three others between in the sentence."""
    row = "|".join(row.replace(" ", _GAP) for row in rows)
    return re.compile(rf"(?<!\w)(?:{row})[^\w.!?]+(?:\w+[^\w.!?]+){{0,3}}\Z")


def spread(word: str) -> str:
    """A word whose letters may have a sign or two between them."""
    return r"[\W_]{0,2}".join(word)


_NOT = (
    r"don t|do not|never|not|no|without|can t|cannot|won t|wouldn t|stop|against|report\w*|anti|nobody|isn t|aren t|"
    r"ne|pas|jamais|aucun\w*|contre|interdit\w*|nunca|jamas|nada|contra|prohibid\w*|nicht|kein\w*|nie|niemals|gegen|verboten"
)
_REFUSED = before(_NOT)
_RIGHT_BEFORE_NOT = re.compile(
    r"(?<!\w)(?:don\W?t|do not|never|not(?: to)?|no|please don\W?t|didn\W?t|ne|nicht|nunca|jamais)\W+(?:\w+\W+)?\Z"
)

# ── minors ──────────────────────────────────────────────────────────────────────────────────────────────────────────

_TEENS = r"(?:1[0-7]|ten|eleven|twelve|thirteen|fourteen|fifteen|sixteen|seventeen)"
_UNDER_18 = r"(?<![\d.,])(?:[1-9]|1[0-7]|five|six|seven|eight|nine|ten|eleven|twelve|(?:thir|four|fif|six|seven)teen)"
_ANS = r"(?:[5-9]|1[0-7]|dix|onze|douze|treize|quatorze|quinze|seize|dix sept)"
_ANOS = r"(?:[5-9]|1[0-7]|diez|once|doce|trece|catorce|quince|dieciseis|diecisiete)"
_JAHRE = r"(?:[5-9]|1[0-7]|zehn|elf|zwoe?lf|dreizehn|vierzehn|fue?nfzehn|sechzehn|siebzehn)"
_END = r"(?=\W*$|[,;:!?)]+(?!\d)|\.(?!\d)|\W+(?:and|but|now|so|lol|btw|haha|hehe|daddy|baby|too|ok|und|aber|jetzt)\b)"
_LITTLE = r"(?:only |just |still |actually |really |barely |about to be |like |basically )?"
_THINGS = (
    r"dog|cat|puppy|kitten|horse|car|truck|house|account|bike|laptop|phone|camera|whisky|whiskey|building|company|"
    r"brand|channel|page|blog|studio|gym|relationship|marriage|chien|chat|cheval|voiture|maison|compte|perro|gato|"
    r"coche|cuenta|casa|hund|katze|pferd|auto|haus|konto"
)
_DRINKS = (
    r"(?!\W*(?:single|malt|whisk|scotch|wine|rum\b|bourbon|cognac|tequila|car\b|truck|house|dog|cat\b|laptop|phone))"
)
_THEN = before(rf"{_THINGS}", r"(?:since|when|until|till|before) (?:i|we|you|he|she|they) (?:was|were|turned)")
_SEXUAL = r"(?:sex|sexy|naked|nudes?|fuck\w*|horny|porn\w*|masturbat\w+|virginity|orgasm\w*|cum|blowjob|nue?s?|desnud\w+|nackt\w*)"
_CHILD = (
    r"(?:kid|kids|child|children|minor|minors|toddlers?|preteens?|little girls?|little boys?|school ?girls?|"
    r"school ?boys?|under ?aged? (?:girls?|boys?)|young girls?|young boys?|young teens?)"
)

_MINORS = (
    Row(
        Category.MINORS,
        "says that somebody is under 18",
        words(
            rf"{_UNDER_18} (?:years?|yrs?) old{_DRINKS}",
            rf"(?<![\d.,]){_TEENS} (?:yo|y o|yrs?|yr old)",
            rf"my age is {_UNDER_18}",
        ),
        spare=_THEN,
    ),
    Row(
        Category.MINORS,
        "says that somebody is under 18",
        words(
            rf"i (?:am|m) {_LITTLE}{_TEENS}{_END}",
            rf"(?:she|he) (?:is|s) {_LITTLE}{_TEENS}{_END}",
            rf"i (?:just |only just )?turned {_TEENS}{_END}",
            rf"looks? (?:like )?(?:i m |i am |she s |she is |he s |a )?{_TEENS}{_END}",
            rf"pretend (?:to be|i m|i am|you re|she s|that i m|that you re) (?:a |an |only )?(?:{_TEENS}{_END}|{_CHILD}|under ?age)",
            r"(?:i|she|he) (?:am|m|is|s) (?:still |actually |technically )?(?:a |an )?(?:minor|under ?aged?)",
            r"(?:i am|i m|she is|she s|he is|he s|they re|they are|girls|boys|teens|models) (?:\w+ )?under (?:the age of )?(?:18|eighteen)",
            r"(?:i am|i m|she is|she s) (?:turning|almost|nearly|not yet|not|not even|not quite|soon) (?:18|eighteen)",
            r"(?:i|she) (?:ll|will) be (?:18|eighteen) (?:soon|next|in|tomorrow|this)",
            r"(?:when|until|before|till) i turn (?:18|eighteen)",
            r"(?:i|she) turns? (?:18|eighteen) (?:soon|next|in|tomorrow|this)",
            r"(?:i am|i m|she is|she s) (?:still )?in (?:middle|high|elementary|primary|junior high) school",
        ),
        spare=before(r"if|nobody|who|anyone who|my account|my dog|my cat"),
    ),
    Row(
        Category.MINORS,
        "says that somebody is under 18",
        words(
            rf"j ai (?:seulement |que |juste |encore |a peine )?{_ANS} ans(?!\W+(?:d\W|de\b|plus\b))",
            rf"j ai (?:pas|pas encore) (?:18|dix huit) ans",
            rf"(?:elle|il) a (?:seulement |que |juste |a peine )?{_ANS} ans(?!\W+(?:d\W|de\b|plus\b))",
            r"j aurai (?:18|dix huit) ans",
            r"(?:je suis|elle est) (?:encore |toujours )?(?:mineure?|collegienne|lyceenne|au college|au lycee)",
            rf"tengo (?:solo |apenas |solamente |como )?{_ANOS} anos(?!\W+de\W+(?!edad))",
            rf"(?:ella |el )?tiene (?:solo |apenas )?{_ANOS} anos(?!\W+de\W+(?!edad))",
            r"(?:aun|todavia) no tengo (?:18|dieciocho)|no tengo (?:18|dieciocho) anos|(?:cumplo|cumplire) (?:18|dieciocho)",
            r"soy (?:todavia |aun )?menor de (?:edad|18|dieciocho)|soy (?:todavia |aun )?menor(?=\W*$|[.,!?])",
            rf"ich bin (?:erst |gerade |noch |nur |gerade mal )?{_JAHRE} (?:jahre?|jae?hrig)",
            rf"ich bin (?:erst |gerade |noch |gerade mal )?(?:1[1-7]|elf|dreizehn|vierzehn|fue?nfzehn|sechzehn|siebzehn){_END}",
            rf"(?:sie|er) ist (?:erst |gerade )?{_JAHRE} (?:jahre?|jae?hrig)",
            r"ich bin (?:noch )?minderjae?hrig|ich bin (?:noch nicht|bald|fast|noch keine) (?:18|achtzehn)",
            r"ich werde (?:bald |naechste\w* \w+ |nachste\w* \w+ )?(?:18|achtzehn)",
        ),
        spare=before(_THINGS, "si", "wenn", "quand", "cuando", "als"),
    ),
    Row(
        Category.MINORS,
        "puts minors in a sexual light",
        words(
            spread("jailbait"),
            r"(?:lolicon|shotacon|pa?edophil\w*|pedofil\w*|pedoporn\w*|kinderporn\w*|pornografia infantil)",
            r"(?:child|kids?|kiddie|kiddy|teen|preteen|minor|toddler) (?:porn\w*|sex|nudes?|erotica)",
            r"cp (?:pics?|vids?|videos?|links?|content)|barely legal",
            rf"(?:sexy|horny|nude|naked|hot|slutty|dirty|naughty|innocent) (?:\w+ )?{_CHILD}",
            rf"(?:horny|naked|nude|slutty|sexy) teens?",
            rf"(?:fuck|fucking|sex with|touch|touching|nudes? of|pics of|videos of|seduce|seducing) (?:a |an |the |my |some |naked )*{_CHILD}",
            rf"(?:when|since) (?:i|she|he) was {_UNDER_18}\b[^.!?]{{0,60}}\b{_SEXUAL}",
            rf"{_SEXUAL}\b[^.!?]{{0,60}}\b(?:when|since) (?:i|she|he) was (?:[1-9]|{_TEENS})",
            rf"quand j avais {_ANS} ans\b[^.!?]{{0,60}}\b{_SEXUAL}",
            rf"cuando tenia {_ANOS} anos\b[^.!?]{{0,60}}\b{_SEXUAL}",
            rf"als ich {_JAHRE} war\b[^.!?]{{0,60}}\b{_SEXUAL}",
            r"(?:petites? filles?|fillettes?|gamines?|mineure?s?|enfants?|collegiennes?) (?:nue?s?|a poil|sexy|chaudes?)",
            r"(?:ninas?|ninos?|menores|colegialas?) (?:desnud\w+|cachond\w+|calientes?|sexy|sexys)",
            r"(?:nackte|geile|sexy|versaute) (?:\w+ )?(?:kinder|schue?lerin(?:nen)?|schulmae?dchen|kleinen? mae?dchen|minderjae?hrige)",
        ),
        spare=before(r"report\w*|against|anti|no|fight|stop|kein\w*|contre|contra"),
    ),
    Row(Category.MINORS, "names minors", words(spread("underage") + "d?", spread("preteen") + "s?"), spare=_REFUSED),
)

# ── no consent ──────────────────────────────────────────────────────────────────────────────────────────────────────

_WILL = r"(?:your|her|his|their|my|someone s|anyone s)"
_NON_CONSENT = (
    Row(
        Category.NON_CONSENT,
        "is about sex by force",
        words(
            r"rap(?:e|es|ed|ing|ist|ists)|gang ?rap(?:e|ed|es)|date ?rap(?:e|ed)|molest(?:s|ed|ing|er|ation)?",
            r"non ?consen(?:t|ting|sual|sually)|revenge porn|sex ?traffick\w*|up ?skirt(?:s|ing)?",
            r"(?:forced|force) (?:sex|blowjobs?|her to (?:strip|suck|fuck)|you to (?:strip|suck|fuck|have sex)|him to (?:strip|suck|fuck))",
            r"roofied?|roofies|chloroform(?:ed)?|drugged (?:her|him|you|girls?) (?:and|then|so)|(?:drug|spike) (?:your|her|his) drink",
            r"(?:fuck(?:s|ed|ing)?|touch(?:es|ed|ing)?|film(?:s|ed|ing)?|us(?:e|ed|ing)) (?:you|her|him|me|them) (?:while|when) (?:you|she|he|they|i) (?:are|is|was|were|re|s|m|am) (?:asleep|sleeping|passed out|unconscious|drugged|blacked out)",
            r"(?:hidden|spy) cam(?:era)? (?:of|in|video of|videos of) (?:her|his|my|the|a) (?:\w+ )?(?:shower|bedroom|bathroom|ex|girlfriend|roommate|neighbou?r|naked)",
            r"she (?:said|says|told me|begged me) (?:no|to stop) (?:but|and) (?:i|he|they) (?:didn t|did not|kept|keep|don t|went)",
            r"viol(?:er|es|ee|ees|eur|eurs|ait|ent)?|je (?:te|vais te|la|vais la) viole?r?",
            r"violar(?:te|la|lo|me|las)?(?! (?:las?|el|los|tu|mi) (?:reglas?|normas?|ley|leyes|privacidad|terminos))|violad(?:a|as)|te violo|violacion(?:es)?(?! de (?:las?|los) (?:\w+ )?(?:reglas?|normas?|terminos|derechos|privacidad))|violador(?:es)?",
            r"vergewaltig\w*|k ?o tropfen",
        ),
        spare=before(r"against|stop|fight|anti|survivors? of|contre|contra|gegen"),
    ),
    Row(
        Category.NON_CONSENT,
        "is about acts without consent",
        words(
            rf"against {_WILL} will|without {_WILL} (?:consent|permission|knowing|knowledge)",
            r"contre (?:ta|sa|leur|ma) volonte|sans (?:ton|son|leur|mon) consentement",
            r"contra (?:tu|su|mi) voluntad|sin (?:tu|su|mi) consentimiento",
            r"gegen (?:deinen|ihren|seinen|meinen) willen|ohne (?:deine|ihre|seine|meine) (?:einwilligung|zustimmung)",
        ),
        spare=before(
            r"never|not|nothing|nobody|don t|won t|wouldn t|can t|stop|illegal|wrong|jamais|rien|pas|personne|nunca|nada|"
            r"nadie|jamas|no|nie|niemals|nichts|nicht|niemand"
        ),
    ),
)

# ── self-harm ───────────────────────────────────────────────────────────────────────────────────────────────────────

_SELF_HARM = (
    Row(
        Category.SELF_HARM,
        "encourages self-harm",
        words(
            r"kill (?:your|ur|yo) ?self|k\W?y\W?s(?=\W*$|[.,!?]|\W+(?:now|already|loser|lol))|hang (?:your|ur) ?self|cut (?:your|ur) ?self",
            r"(?:slit|cut) (?:your|ur) (?:wrists?|veins|throat)|end (?:your|ur) (?:own )?life|take (?:your|ur) own life",
            r"go (?:and )?die(?! (?:for|of|hard|laughing))|(?:you|u) should (?:just )?(?:die|be dead|not be alive|commit suicide)(?! (?:for|of|laughing))",
            r"commit suicide|(?:drink|go drink) bleach|(?:swallow|take) (?:all|the whole bottle of) (?:the|your|those|of your) pills",
            r"jump off (?:a|the) (?:bridge|roof|building|cliff|balcony)|jump in front of (?:a|the) (?:train|car|bus)",
            r"(?:world|everyone|everybody|we|they) (?:would|will|ll|d|is|are|re) (?:be )?better (?:off )?without you",
            r"(?:no one|nobody) (?:would|will|ll) (?:ever )?(?:miss you|care if you (?:die|died))",
        ),
        spare=_RIGHT_BEFORE_NOT,
    ),
    Row(
        Category.SELF_HARM,
        "encourages self-harm",
        words(
            r"(?:tue|tues|suicide|pends) toi|va (?:te (?:pendre|tuer|suicider)|mourir|crever)(?! de (?:rire|plaisir))",
            r"tu (?:devrais|ferais mieux de) (?:mourir|crever|te (?:tuer|suicider|pendre))|(?:ouvre|coupe|taille) toi les veines",
            r"mets fin a (?:tes jours|ta vie)|le monde (?:serait|irait) mieux sans toi|personne ne te (?:regrettera|pleurera)",
            r"suicidate|ahorcate|(?:por que no te|deberias) (?:matas|mueres|morir|morirte|matarte|suicidarte)|cortate las venas",
            r"matate(?! de (?:risa|la risa))|muerete(?! de)|acaba con tu vida|quitate la vida|el mundo (?:estaria|seria) mejor sin ti|nadie te (?:va a )?extranar(?:a|ia)?",
            r"bring(?:e)? dich (?:selbst |doch )?um|tote dich|toete dich|hae?ng dich auf|erhae?ng(?:e)? dich|schneid(?:e)? dir die (?:pulsadern|adern)",
            r"(?:du solltest|geh) (?:einfach |doch )?(?:sterben|dich umbringen|dich erhae?ngen)|die welt wae?re besser (?:dran )?ohne dich",
            r"niemand (?:wird|wue?rde) dich vermissen|spring(?:e)? (?:von der brue?cke|vom (?:dach|hochhaus|balkon)|vor (?:den|einen) zug)",
        ),
        spare=_RIGHT_BEFORE_NOT,
    ),
)

# ── threats ─────────────────────────────────────────────────────────────────────────────────────────────────────────

_WE_WILL = r"(?:i|we) (?:will|ll|am going to|m going to|m gonna|am gonna|are going to|re going to|re gonna|m about to|swear i ll|want to|wanna)"
_THREATS = (
    Row(
        Category.THREATS,
        "threatens somebody",
        words(
            rf"{_WE_WILL} (?:kill|murder|stab|strangle|burn|behead|drown) (?:you|u|ur|your (?:family|mother|dog|kids)|her|him|them)(?! with (?:kindness|love|laughter|pleasure|kisses|this|my))",
            rf"{_WE_WILL} (?:hurt|beat) (?:you|u|her|him|them)(?! (?:at|in|to|on|by) )(?! (?:at|in|to|on))",
            rf"{_WE_WILL} (?:break|smash) (?:your|ur) (?:legs?|arms?|neck|bones|face|skull)",
            rf"{_WE_WILL} shoot (?:you|u|him|her)(?=\W*$|[.,!?;]|\W+(?:dead|down|in the|and|if|unless))",
            rf"{_WE_WILL} (?:find|come for|hunt) (?:you|u)(?: down)? and (?:\w+ )?(?:kill|hurt|beat|end|destroy|make you (?:pay|suffer))",
            rf"{_WE_WILL} (?:leak|post|publish|expose|release|send|share|show) (?:all )?(?:your|ur) (?:nudes?|pics|photos|pictures|videos?|secrets?|chats?|messages|face|name)[^.!?]{{0,40}}(?:unless|if you|to your|everywhere|online|or else)",
            r"(?:pay|send)(?: me)?[^.!?]{0,30}\bor (?:else )?i (?:ll|will) (?:leak|post|publish|expose|release|send|share|tell)",
            r"i know where (?:you|u) (?:live|sleep|work)|watch your back|you (?:re|are) a dead (?:man|woman|girl|guy)|you (?:re|are) (?:so )?dead(?=\W*$|[.,!?] (?:i|when|if))",
        ),
        spare=before("never", "not", "don t"),
    ),
    Row(
        Category.THREATS,
        "threatens somebody",
        words(
            r"(?:je vais|on va|j vais) (?:te|vous|la|le) (?:tuer|buter|crever|frapper|egorger|etrangler|bruler|massacrer|poignarder)(?! de (?:rire|plaisir|baisers))",
            r"je (?:te|vous) (?:tuerai|buterai|creverai|frapperai|retrouverai)|tu vas (?:mourir|crever|le payer|le regretter)(?! de (?:rire|plaisir|jalousie))|je sais ou (?:tu|t) (?:habites|vis|dors)",
            r"(?:te|lo|la|los) (?:voy|vamos) a (?:matar|golpear|apunalar|disparar|degollar|estrangular|quemar|hacer dano)(?! de (?:risa|placer|amor)| a (?:besos|cosquillas))|voy a matar(?:te|lo|la)(?! de| a (?:besos|cosquillas))",
            r"te matare(?! de| a (?:besos|cosquillas))|te arrepentiras|(?<!te\W)vas a (?:morir|pagar(?:la|lo|melas)?)(?! de)|se donde (?:vives|duermes)",
            r"ich (?:werde|will) (?:dich|euch|sie|ihn) (?:toe?ten|umbringen|verprue?geln|erschiessen|abstechen|schlagen|erwue?rgen|verbrennen)",
            r"ich (?:bring|bringe|mach|mache|stech|steche|schlag|schlage) (?:dich|euch) (?:um|kalt|ab|tot)|ich weiss wo du (?:wohnst|schlae?fst)|du bist (?:so gut wie )?tot|du wirst (?:sterben|das bereuen|dafue?r bezahlen)(?! vor lachen)",
        ),
    ),
)

# ── doxxing ─────────────────────────────────────────────────────────────────────────────────────────────────────────

_STREET = r"(?:street|avenue|road|boulevard|lane|ave|blvd|rd|crescent|terrace)"
_WORD = r"(?!(?:the|a|an|of|on|down|from|this|that|my|our|your|in|to|more|long|blocks?|miles?|min\w*|hours?|years?|off)\b)\w+"


def _plain_digits(text: str) -> str:
    return re.sub(r"\D", "", text)


def is_phone(text: str) -> bool:
    """Whether digits could be a telephone number: not a round figure, not counting up or down."""
    digits = _plain_digits(text)
    steps = {int(after) - int(first) for first, after in zip(digits, digits[1:], strict=False)}
    counting = steps <= {1, -9} or steps <= {-1, 9} or steps == {0}
    return 8 <= len(digits) <= 15 and not counting and not digits.endswith("00000")


def is_spelled_phone(text: str) -> bool:
    """As `is_phone`, for single digits in a row; a countdown from 10 is none."""
    return is_phone(text) and not _plain_digits(text).startswith(("109876", "987654", "123456"))


def is_card(text: str) -> bool:
    """Whether digits pass the check of payment cards (Luhn)."""
    digits = _plain_digits(text)
    doubled = [int(digit) * (1 + index % 2) for index, digit in enumerate(reversed(digits))]
    return 13 <= len(digits) <= 19 and sum(value - 9 * (value > 9) for value in doubled) % 10 == 0 and int(digits) > 0


def is_iban(text: str) -> bool:
    """Whether a text passes the check of bank account numbers (ISO 13616, modulus 97)."""
    compact = re.sub(r"[^0-9a-z]", "", text)
    number = "".join(str(int(letter, 36)) for letter in compact[4:] + compact[:4])
    return 15 <= len(compact) <= 34 and int(number) % 97 == 1


def is_dni(text: str) -> bool:
    """Whether a text passes the check of Spanish identity numbers."""
    compact = re.sub(r"[^0-9a-z]", "", text)
    number = compact[:-1].translate(str.maketrans("xyz", "012"))
    return number.isdigit() and "trwagmyfpdxbnjzsqvhlcke"[int(number) % 23] == compact[-1]


FIGURES = (
    Row(
        Category.DOXXING,
        "holds an e-mail address",
        re.compile(
            r"[\w.+%-]{1,64} ?(?:@|\(at\)|\[at\]|\bat\b(?= ?\w+ ?(?:\(dot\)|\[dot\]|\bdot\b))) ?"
            r"[\w-]{2,63}(?: ?(?:\.|\(dot\)|\[dot\]|\bdot\b) ?[a-z]{2,24}\b)+"
        ),
    ),
    Row(
        Category.DOXXING,
        "holds a telephone number",
        re.compile(
            r"(?<![\w.])(?:\+|00)\d{1,3}[ .()/-]{0,3}\d(?:[ .()/-]{0,2}\d){6,12}(?!\d)"
            r"|(?<![\w$.,])(?:1[ .-])?\(?[2-9]\d{2}\)?[ .-]\d{3}[ .-]\d{4}(?!\d)"
            r"|(?<![\w$.,])0[1-9](?:[ .-]?\d{2}){4}(?!\d)"
            r"|(?<![\w$.,])[679]\d{2}(?:[ .-]?\d{3}){2}(?![ .,]?\d)"
            r"|(?<![\w$.,])[679]\d{2}(?:[ .-]\d{2}){3}(?![ .,]?\d)"
            r"|(?<![\w$.,])0\d{2,4}[ /-]\d{5,9}(?!\d)|(?<![\w$.,])01[567]\d[ /-]?\d{7,8}(?!\d)"
            r"|\b(?:call|text|whatsapp|phone|number|tel|telefono?|numero|appelle|llama\w*|ruf|nummer|handy)\b[^\d.!?]{0,20}\d(?:[ .()/-]{0,2}\d){7,12}(?!\d)"
        ),
        proves=is_phone,
    ),
    Row(
        Category.DOXXING,
        "holds a telephone number",
        re.compile(r"(?<![\w.,])\d(?:[ ._-]{1,3}\d){8,14}(?![\w])"),
        proves=is_spelled_phone,
    ),
    Row(
        Category.DOXXING,
        "holds an identity number",
        re.compile(
            r"(?<![\d-])(?!000|666|9)\d{3}[- ]\d{2}[- ]\d{4}(?![\d-])"
            r"|(?<!\d)[12] ?\d{2} ?(?:0[1-9]|1[0-2]) ?(?:\d{2}|2[ab]) ?\d{3} ?\d{3} ?\d{2}(?!\d)"
            r"|\b(?:ssn|social security|passport|passeport|pasaporte|reisepass|personalausweis|national id|id number|driver'?s licen[sc]e|steuer-?id|dni|nie)\b[^\d.!?]{0,20}(?=[a-z0-9-]*\d{4})[a-z0-9-]{6,14}"
        ),
    ),
    Row(
        Category.DOXXING,
        "holds an identity number",
        re.compile(r"(?<!\w)(?:\d{8}|[xyz]\d{7})[ -]?[a-z](?!\w)"),
        proves=is_dni,
    ),
    Row(
        Category.DOXXING,
        "holds a street address",
        re.compile(
            rf"(?<![\w$.,:])\d{{1,5}}[a-z]?,? (?:{_WORD} ){{1,3}}{_STREET}\b"
            r"|(?<![\w$.,:])\d{1,4}(?: bis| ter)?,? (?:rue|avenue|boulevard|allee|chemin|impasse|quai)(?: (?:de|du|des) (?:la |l')?| d'| l'| )\w{3,}"
            r"|\b(?:calle|avenida|avda|paseo|carrer) (?:\w+ ){0,4}\w+,? ?(?:n[o.]{0,2} ?)?\d{1,4}(?![\d.,:%])"
            r"|\b\w{3,}(?:strasse|str\.?|allee|gasse|weg) \d{1,4} ?[a-z]?\b(?! (?:uhr|prozent|euro|mal|minuten|jahre))"
        ),
    ),
    Row(
        Category.PAYMENT,
        "holds the address of a crypto wallet",
        re.compile(
            r"(?<!\w)(?:bc1[a-z0-9]{25,60}|0x[a-f0-9]{40}|(?=[a-z0-9]*\d[a-z0-9]*\d)[13][a-km-z0-9]{25,34}|t[a-z0-9]{33}|ltc1[a-z0-9]{25,60})(?!\w)"
        ),
    ),
    Row(
        Category.PAYMENT,
        "holds a bank account number",
        re.compile(r"(?<!\w)[a-z]{2} ?\d{2}(?:[ -]?[a-z0-9]{4}){2,7}(?:[ -]?[a-z0-9]{1,3})?(?!\w)"),
        proves=is_iban,
    ),
    Row(
        Category.PAYMENT,
        "holds the number of a payment card",
        re.compile(r"(?<![\d.,])\d(?:[ -]?\d){12,18}(?![\d.,])"),
        proves=is_card,
    ),
    Row(
        Category.PAYMENT,
        "asks to pay off the platform",
        re.compile(r"(?<!\w)\$[a-z][a-z0-9]{4,19}(?!\w)(?=.{0,60}cash|.{0,20}$)"),
    ),
    Row(
        Category.PAYMENT, "asks to pay off the platform", re.compile(r"(?<!\w)(?:paypal|venmo|cash)\.(?:me|app|com)\b")
    ),
)

_DOXXING = (
    Row(
        Category.DOXXING,
        "tells where somebody lives or who they are",
        words(
            r"(?:her|his|their) (?:real|legal|full) name is|(?:her|his|their) (?:home )?address is|(?:she|he) lives at \d+",
            r"(?:son|sa) (?:vrai nom|adresse) est|su (?:nombre real|direccion) es|(?:ihr|sein) (?:echter name|richtiger name) ist|(?:ihre|seine) adresse ist",
        ),
    ),
)

# ── payment off the platform ────────────────────────────────────────────────────────────────────────────────────────

_PAY = r"(?:pay(?:ing)?|send(?:ing)?|tip(?:ping)?|transfer(?:ring)?|deposit|wire|buy(?:ing)?|accept|take|payments?|paye[rz]?|envo(?:ie|yer|yez)|verse[rz]?|paga(?:r|me|rme)?|envia(?:r|me)?|manda(?:r|me)?|zahl(?:e|en|ung)?|bezahl(?:e|en)?|schick(?:e|en)?|ueberweis\w*|uberweis\w*)"
_COINS = r"(?:bitcoins?|btc|ethereum|eth|usdt|litecoin|ltc|dogecoin|crypto(?:currency|s)?|krypto|revolut|wise|bizum|lydia|skrill|neteller|paysafe(?:card)?|zelle|apple pay|google pay|gift ?cards?|steam cards?|gutscheinkarten?|cartes? cadeaux?|tarjetas? (?:de )?regalo)"
_HERE = r"(?:of|only ?fans|the (?:site|app|platform)|platform|this (?:site|app|platform)|here|fansly)"
_PAYMENT = (
    Row(
        Category.PAYMENT,
        "asks to pay off the platform",
        words(
            spread("paypa") + r"[\W_]{0,2}[li1]",
            spread("venmo"),
            spread("cashapp"),
            r"zelle|western union|moneygram|pay safe card|bank transfer|wire transfer|virement(?:s)? bancaires?|transferencia bancaria|bankue?berweisung|paypalme",
            rf"{_PAY} (?:\w+ ){{0,5}}{_COINS}",
            rf"{_COINS} (?:is|are|works?|accepted|ok|okay|fine|payment|payments|wallet|address|only)",
            rf"(?:pay|paying|payment|tip|send|buy|money|deal|cheaper|settle)[^.!?]{{0,40}}\b(?:outside|off|away from|not on|without) (?:of )?{_HERE}",
            r"(?:pay|tip) me (?:directly|outside|privately|off ?site|under the table|in cash)|(?:my )?(?:iban|bank details|bank account|account number|routing number) (?:is|:|are)|send (?:it |the money |money |cash )(?:directly |straight )?to my (?:account|bank|wallet|card)",
            r"(?:paye|payer|payez|paie|regle|regler)(?: moi)?[^.!?]{0,30}(?:en dehors|hors) (?:de |d )?(?:la |l )?(?:plateforme|site|application|appli|onlyfans|ici)|(?:en dehors|hors) (?:de |du )?(?:la )?(?:plateforme|site)[^.!?]{0,20}(?:pay|regl|moins cher)\w*|fais moi un virement|envoie (?:moi )?l argent (?:directement|sur mon compte)",
            r"(?:paga|pagame|pagar|pagarme|paguen)[^.!?]{0,30}(?:fuera de|por fuera|en otro lado|directamente a mi)|fuera de (?:la )?(?:plataforma|pagina|onlyfans|aqui)[^.!?]{0,25}(?:pag|barat)\w*|hazme una transferencia|envia(?:me)? (?:el )?dinero a mi (?:cuenta|tarjeta)",
            r"(?:zahl|zahle|bezahl|bezahle|bezahlen|zahlen)[^.!?]{0,30}(?:ausserhalb|neben der plattform|an onlyfans vorbei|direkt an mich|privat)|ausserhalb (?:der plattform|von onlyfans|der seite)[^.!?]{0,25}(?:zahl|bezahl|billig|guenstig|gunstig)\w*|ue?berweis(?:e|en)? (?:mir|es mir|das geld|es auf)|schick(?:e)? (?:mir )?das geld (?:direkt|auf mein konto)",
        ),
        spare=before("don t", "do not", "never", "not to", "scam", "ne", "nunca", "niemals"),
    ),
)
_PAYMENT_ = (
    Row(
        Category.PAYMENT,
        _PAYMENT[0].reason,
        words(spread("paypa") + r"[\W_]{0,2}[li1]", spread("venmo"), spread("cashapp")),
    ),
    *_PAYMENT,
)

WORDS = (*_MINORS, *_NON_CONSENT, *_SELF_HARM, *_THREATS, *_DOXXING, *_PAYMENT)

# ── a fan in need ───────────────────────────────────────────────────────────────────────────────────────────────────

CRISIS = words(
    r"(?:i|i m going to|gonna|wanna|want to|i ll|will) (?:kill|hurt|harm|cut|hang) (?:my ?self|me)",
    r"(?:i )?(?:want|wanna|wish) (?:to |i could )?(?:just )?die(?! (?:of|for|from|laughing|hard|in your))|don t (?:want|wanna) to (?:live|be alive|be here|wake up|exist) any ?more|(?:do not|don t) want to (?:live|be alive|exist)",
    r"(?:i m|i am|im|feel|feeling) suicidal|suicid(?:e|al thoughts)|end (?:it all|my life|my own life)|take my (?:own )?life|better off (?:dead|without me)|no reason to live|(?:self ?harm(?:ing|ed)?|cutting my ?self)|wish i was (?:dead|never born)",
    r"(?:je veux|j ai envie de|envie de|je vais) (?:mourir|crever|en finir|me (?:tuer|suicider|pendre|faire du mal))(?! de (?:rire|plaisir))|me suicider|je ne veux plus vivre|plus envie de vivre|j en peux plus de (?:vivre|la vie)",
    r"(?:me )?(?:quiero|voy a|ganas de) (?:morir(?:me)?|matarme|suicidarme|hacerme dano)(?! de)|no quiero (?:seguir )?vivi(?:r|endo)|quitarme la vida|acabar con (?:todo|mi vida)",
    r"(?:ich )?(?:will|moe?chte) (?:(?:nur noch |einfach )?sterben|nicht mehr leben)|bring(?:e)? mich um|mich umbringen|selbstmord|suizid\w*|mir (?:das leben nehmen|etwas antun)|keinen sinn mehr im leben",
)
