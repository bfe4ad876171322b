"""The hard blocks on words, as rows: what no message may say, in English, French, Spanish and German.

Rows are written for the readings of `engine.content.normalise`: small letters without diacritics, one blank between
words, an apostrophe parts words (`don t`, `j ai`), ` . ` between sentences. A row is looked at only if one of its `on`
words is there, which keeps a common message cheap. `spare` is what may stand before a match in its sentence to make it
harmless, such as a refusal or a warning.

All languages are looked at whatever the message is written in: a block that asks for the language first is passed by
naming the wrong one.
"""

from __future__ import annotations

import re
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
    on: frozenset[str]
    pattern: re.Pattern[str]
    spare: re.Pattern[str] | None = None

    def finds(self, reading: str, words: set[str]) -> bool:
        """Whether a reading, made of these words, says it."""
        if self.on.isdisjoint(words):
            return False
        return any(not self._spared(reading, match.start()) for match in self.pattern.finditer(reading))

    def _spared(self, reading: str, at: int) -> bool:
        return self.spare is not None and self.spare.search(reading[max(0, at - _LOOK_BACK) : at]) is not None


_LOOK_BACK = 64  # characters before a match in which a spare is looked for


def row(category: Category, reason: str, on: str, *patterns: str, spare: str = "") -> Row:
    """A row from its words and patterns; up to four words may stand between a spare and the match."""
    return Row(
        category,
        reason,
        frozenset(on.split()),
        re.compile(rf"\b(?:{'|'.join(patterns)})\b"),
        re.compile(rf"\b(?:{spare}) (?:\w+ ){{0,4}}\Z") if spare else None,
    )


_NO = "not|no|never|don t|won t|can t|without|stop|against|report|ban|ne|pas|jamais|aucune?|contre|interdite?s?"
_NO += (
    "|nunca|jamas|nada|nadie|contra|prohibid[oa]s?|nicht|nichts|keine?n?r?|nie|niemals|niemand|gegen|verboten|illegal"
)
_NO += "|rien|personne|nothing|nobody|wouldn t|didn t|isn t|aren t"

# ── minors ──────────────────────────────────────────────────────────────────────────────────────────────────────────

_TEEN = "(?:1[0-7]|ten|eleven|twelve|thirteen|fourteen|fifteen|sixteen|seventeen)"
_UNDER = "(?:[1-9]|1[0-7]|five|six|seven|eight|nine|ten|eleven|twelve|thirteen|fourteen|fifteen|sixteen|seventeen)"
_ANS = "(?:[5-9]|1[0-7]|dix|onze|douze|treize|quatorze|quinze|seize|dix sept)"
_ANOS = "(?:[5-9]|1[0-7]|diez|once|doce|trece|catorce|quince|dieciseis|diecisiete)"
_JAHRE = "(?:[5-9]|1[0-7]|zehn|elf|zwoe?lf|dreizehn|vierzehn|fue?nfzehn|sechzehn|siebzehn)"
_JUST = "(?:only |just |still |actually |really |barely |like |basically |about to be )?"
_NO_AGE = (  # what follows a number that counts something else
    r"(?! (?:\d|out|of|on|in|am|pm|min|mins|minutes?|hours?|days?|"
    "weeks?|months?|seconds?|percent|km|miles?|feet|ft|times|"
    "steps|levels?|kg|lbs|pounds|points|reps|sets|rounds|videos?|episodes|games|wins|kills|pages|people|followers|subs|"
    "fans|away|late|early|deep|ahead|behind|short|down|up|and 0|dollars|bucks|years (?!old)))"
)
_NO_PERSON = (
    "(?! (?:single|malt|whisky|whiskey|scotch|wine|rum|bourbon|car|truck|house|dog|cat|laptop|phone|bike|account))"
)
_THING = "dog|cat|puppy|kitten|horse|car|truck|house|account|bike|laptop|phone|brand|channel|page|blog|studio|gym|show"
_THING += "|relationship|marriage|company|whisky|whiskey|building|chien|chat|compte|perro|gato|cuenta|hund|katze|konto"
_WHO = "(?:i m|i am|she s|she is|he s|he is|girl|boy|daughter|son|sister|brother|niece|nephew)"
_CHILD = (
    "(?:kids?|child|children|minors?|toddlers?|pre ?teens?|little girls?|little boys?|school ?girls?|school ?boys?|"
)
_CHILD += "under ?aged? (?:girls?|boys?)|young girls?|young boys?)"
_SEXUAL = "(?:sex|sexy|naked|nudes?|fuck\\w*|horny|porn\\w*|masturbat\\w+|virginity|orgasm\\w*|cum|blowjob|"
_SEXUAL += "nue?s?|desnud\\w+|nackt\\w*|geil\\w*|pussy|cock)"
_AGES = "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 five six seven eight nine ten eleven twelve thirteen fourteen "
_AGES += "fifteen sixteen seventeen"

_MINORS = (
    row(
        Category.MINORS,
        "says that somebody is under 18",
        _AGES + " pretend " + " ".join(f"{age}yo" for age in range(10, 18)),
        rf"(?<!\d ){_TEEN} (?:years?|yrs?|yr) old{_NO_PERSON}",
        rf"{_WHO} {_JUST}{_UNDER} (?:years?|yrs?|yr) old",
        rf"(?<!\d ){_TEEN} ?(?:yo|y o)",
        rf"my age is {_UNDER}|sweet (?:16|sixteen)(?! bit)",
        rf"(?:sister|brother|daughter|son|niece|nephew) is {_UNDER}\b[^.]{{0,40}}\b{_SEXUAL}",
        rf"(?:i|she|he) (?:am|m|is|s) {_JUST}{_TEEN}{_NO_AGE}",
        rf"(?:i|she|he) (?:just |only )?turned {_TEEN}{_NO_AGE}",
        rf"looks? like (?:i m |i am |she s |she is |a )?{_TEEN}{_NO_AGE}",
        "pretend (?:to be|i m|i am|you re|she s|that i m|that you "
        rf"re) (?:a |an |only )?(?:{_TEEN}|{_CHILD}|under ?age)",
        spare=rf"{_THING}|it s|this|since (?:i|he|she|we)|when we|if|nobody who|anyone who",
    ),
    row(
        Category.MINORS,
        "says that somebody is under 18",
        "minor underage under 18 eighteen school",
        "(?:i|she|he) (?:am|m|is|s) (?:still |actually |technically )?(?:a |an )?(?:minor|under ?aged?)",
        "(?:i am|i m|she is|she s|he is|he s|they re|girls|boys|teens|"
        "models) (?:\\w+ )?under (?:the age of )?(?:18|eighteen)",
        "(?:i am|i m|she is|she s) (?:turning|almost|nearly|not yet|not|not even|not quite|soon) (?:18|eighteen)",
        "(?:i|she) (?:ll|will) be (?:18|eighteen) (?:soon|next|in|tomorrow|this)",
        "(?:i|she) turns? (?:18|eighteen) (?:soon|next|in|tomorrow|this)|(?:until|before|till) i turn (?:18|eighteen)",
        "(?:i am|i m|she is|she s) (?:still )?in (?:middle|high|elementary|primary|junior high) school",
        spare="if|nobody|anyone|who",
    ),
    row(
        Category.MINORS,
        "says that somebody is under 18",
        "ans collegienne lyceenne college lycee mineur mineure",
        rf"j ai (?:seulement |que |juste |encore |a peine |tout juste )?{_ANS} ans(?! (?:d|de|plus)\b)",
        r"j (?:ai pas|ai pas encore|aurai) (?:18|dix huit) ans",
        r"(?:elle|il) (?:a|n a que) (?:seulement |juste |a peine )?(?:1[0-7]|quatorze|quinze|seize) ans(?! (?:d|de)\b)",
        rf"(?:fille|garcon|ado|meuf|soeur) de {_ANS} ans",
        r"(?:je suis|elle est) (?:encore |toujours )?(?:mineure?|collegienne|lyceenne|au college|au lycee)",
    ),
    row(
        Category.MINORS,
        "says that somebody is under 18",
        "anos menor 18 dieciocho",
        rf"tengo (?:solo |apenas |solamente |como )?{_ANOS} anos(?! de (?!edad))",
        r"tiene (?:solo |apenas )?(?:1[0-7]|catorce|quince|dieciseis|diecisiete) anos(?! de (?!edad))",
        rf"(?:chica|chico|nina|nino|hermana) de {_ANOS} anos",
        r"(?:aun |todavia )?no tengo (?:18|dieciocho)|(?:cumplo|cumplire) (?:18|dieciocho)",
        r"soy (?:todavia |aun )?menor(?: de edad)?",
    ),
    row(
        Category.MINORS,
        "says that somebody is under 18",
        "ich ist madchen maedchen schulerin schuelerin",
        rf"ich bin (?:erst |gerade |noch |nur |gerade mal )?{_JAHRE} (?:jahre? alt|jae?hrig)",
        "ich bin (?:erst |gerade mal |noch )?(?:1[1-7]|vierzehn|"
        rf"fue?nfzehn|sechzehn|siebzehn){_NO_AGE}(?! (?:minuten|stunden|tage|wochen|jahre|km|cm|kilo|prozent|mal|uhr))",
        rf"(?:sie|er) ist (?:erst |gerade )?{_JAHRE} (?:jahre? alt|jae?hrig)",
        rf"{_JAHRE} jae?hrige[rs]? (?:\w+ )?(?:mae?dchen|schue?lerin|junge)",
        r"ich bin (?:noch )?minderjae?hrig|ich bin (?:noch nicht|bald|fast|noch keine) (?:18|achtzehn)",
        r"ich werde (?:bald |nae?chste\w* \w+ )?(?:18|achtzehn)",
    ),
    row(
        Category.MINORS,
        "puts minors in a sexual light",
        "jailbait jail lolicon shotacon paedophile paedophiles pedophile pedophiles pedophilia pedophilie pedophil "
        "pedofilo pedofilos pedofilia pedoporn kinderporno kinderpornos kinderpornografie infantil cp legal teen teens",
        "jail ?bait|lolicon|shotacon|pa?edophil\\w*|pedofil\\w*|pedoporn\\w*|kinderporn\\w*|pornografia infantil",
        "cp (?:pics?|vids?|videos?|links?|content)|barely legal",
        "teen (?:porn\\w*|sex|nudes?|erotica)|(?:horny|naked|nude|slutty|sexy) teens?",
        spare="report|against|anti|no|never|fight|stop|keine?|contre|contra",
    ),
    row(
        Category.MINORS,
        "puts minors in a sexual light",
        "kid kids kiddie kiddy child children minor minors toddler "
        "toddlers pre preteen preteens little school schoolgirl "
        "schoolgirls schoolboy schoolboys under underage underaged "
        "young fille filles fillette fillettes gamine gamines "
        "mineure mineures mineur mineurs enfant enfants collegienne "
        "collegiennes lyceenne lyceennes nina ninas nino ninos "
        "menores colegiala colegialas kinder schulerin schulerinnen "
        "schuelerin schuelerinnen schulmadchen schulmaedchen "
        "kleine minderjahrige minderjaehrige",
        "(?:child|kids?|kiddie|kiddy|pre ?teen|minor|toddler) (?:porn\\w*|sex|nudes?|erotica)",
        f"(?:sexy|horny|nude|naked|hot|slutty|dirty|naughty|innocent) (?:\\w+ )?{_CHILD}",
        "(?:fuck|fucking|sex with|touch|touching|nudes? of|pics of|videos of|seduce|seducing) "
        f"(?:a |an |the |my |some |naked ){{0,2}}{_CHILD}",
        "(?:petites? filles?|fillettes?|gamines?|mineure?s?|enfants?|collegiennes?|lyceennes?) "
        "(?:nue?s?|a poil|sexy|chaudes?)",
        "(?:ninas?|ninos?|menores|colegialas?) (?:desnud\\w+|cachond\\w+|calientes?|sexys?)",
        "(?:nackte|geile|sexy|versaute) (?:\\w+ )?"
        "(?:kinder|schue?lerin(?:nen)?|schulmae?dchen|kleine mae?dchen|minderjae?hrige)",
        spare="report|against|anti|no|never|fight|stop|keine?|contre|contra",
    ),
    row(
        Category.MINORS,
        "puts minors in a sexual light",
        "since when quand cuando als",
        f"(?:when|since) (?:i|she|he) was {_UNDER}\\b[^.]{{0,60}}\\b{_SEXUAL}",
        f"{_SEXUAL}\\b[^.]{{0,60}}\\b(?:when|since) (?:i|she|he) was (?:[1-9]|{_TEEN})",
        f"quand j avais {_ANS} ans\\b[^.]{{0,60}}\\b{_SEXUAL}|cuando tenia {_ANOS} anos\\b[^.]{{0,60}}\\b{_SEXUAL}",
        f"als ich {_JAHRE} war\\b[^.]{{0,60}}\\b{_SEXUAL}",
    ),
    row(
        Category.MINORS,
        "names minors",
        "underage underaged under preteen preteens pre",
        "under ?aged?|pre ?teens?",
        spare=_NO + "|if",
    ),
)

# ── no consent ──────────────────────────────────────────────────────────────────────────────────────────────────────

_FORCE = (
    row(
        Category.NON_CONSENT,
        "is about sex by force",
        "rape rapes raped raping rapist rapists gangrape molest molested molesting molester noncon nonconsensual non "
        "porn traffick trafficking upskirt upskirts forced force roofie roofies roofied chloroform drugged drug spike "
        "cam camera asleep sleeping passed unconscious begged said",
        "(?:gang ?|date ?)?rap(?:e|es|ed|ing|ist|ists)|molest(?:s|ed|ing|er|ation)?",
        "non ?consen(?:t|ting|sual|sually)|non ?con|revenge porn|sex ?traffick\\w*|up ?skirt(?:s|ing)?",
        "forced (?:sex|blowjobs?)",
        "force (?:her|you|him|myself on|yourself on) (?:\\w+ )?(?:strip|suck|fuck|have sex|you|her)",
        "force myself on (?:you|her|him)|force yourself on (?:me|her|him)",
        "roofied?|roofies|chloroform(?:ed)?|drugged (?:her|him|you|girls?)|(?:was|were|got) drugged",
        "(?:drug|spike) (?:your|her|his|you|him) ?(?:drink)?",
        "(?:fuck(?:s|ed|ing)?|touch(?:es|ed|ing)?|film(?:s|ed|ing)?|"
        "us(?:e|ed|ing)) (?:you|her|him|me|them) (?:while|when) "
        "(?:you|she|he|they|i) (?:are|is|was|were|re|s|m|am) (?:asleep|sleeping|passed out|unconscious|drugged)",
        "(?:hidden|spy) cam(?:era)? (?:of|in|video of|videos of) (?:her|his|my|the|a) "
        "(?:\\w+ )?(?:shower|bedroom|bathroom|ex|girlfriend|roommate|neighbou?r|naked)",
        "she (?:said|begged me) (?:no|to stop) (?:but|and) (?:i|he|they) (?:didn t|did not|kept|keep|don t)",
        spare="against|stop|fight|anti|survivors? of|contre|contra|gegen",
    ),
    row(
        Category.NON_CONSENT,
        "is about sex by force",
        "viol violer violee violees violeur violeurs violerai viole violar violarte violarla violarlo violarme violada "
        "violadas violo violacion violaciones violador violadores tropfen "
        "vergewaltigen vergewaltige vergewaltigt vergewaltigung vergewaltiger vergewaltigte",
        "(?:un|le|ce|de|d un|en|du) viol(?! (?:de|des|d) (?:regles?|contrat|secret|domicile))",
        "violer (?!les|la loi|le contrat)",
        "violee?s|violeurs?|(?:t|te|la|l) (?:ai )?violer(?:ai)?|(?:je|il) (?:te|la) viole",
        "violar(?:te|la|lo|me|las)?(?! (?:las?|el|los|tu|mi|nuestr\\w+) "
        "(?:reglas?|normas?|ley|leyes|privacidad|terminos))",
        "violadas?|te violo|violacion(?:es)?(?! de (?:las?|los|tu|mi)? ?(?:\\w+ )?(?:reglas?|normas?|terminos|derechos|"
        "privacidad))|violador(?:es)?",
        "vergewaltig\\w*|k ?o tropfen",
        spare="against|stop|contre|contra|gegen|anti",
    ),
    row(
        Category.NON_CONSENT,
        "is about acts without consent",
        "will consent permission knowing knowledge volonte consentement accord voluntad consentimiento permiso willen "
        "einwilligung zustimmung einverstandnis",
        "against (?:your|her|his|their|my|someone s) will|without (?:your|her|his|their|my|someone s|anyone s) "
        "(?:consent|permission|knowing|knowledge)",
        "contre (?:ta|sa|leur|ma) volonte|sans (?:ton|son|leur|mon) (?:consentement|accord)",
        "contra (?:tu|su|mi) voluntad|sin (?:tu|su|mi) (?:consentimiento|permiso)",
        "gegen (?:deinen|ihren|seinen|meinen) willen|ohne (?:deine?|ihre?|seine?|meine?) "
        "(?:einwilligung|zustimmung|einverstae?ndnis)",
        spare=_NO + "|wrong",
    ),
)

# ── self-harm ───────────────────────────────────────────────────────────────────────────────────────────────────────

_SELF_HARM = (
    row(
        Category.SELF_HARM,
        "encourages self-harm",
        "yourself killyourself kys your self end die dead suicide bleach pills jump without miss care",
        "kill your ?self|killyourself|kys|hang your ?self|cut your ?self(?! (?:some|a|short|off))|hurt your ?self",
        "(?:slit|cut) your (?:wrists?|veins|throat)|end your (?:own )?life|take your own life",
        "go (?:and )?die(?! (?:for|of|hard|laughing))|you deserve to die(?! (?:for|of))",
        "(?:just|go) end it all|end it all (?:nobody|no one)",
        "you should (?:just )?(?:die|be dead|not be alive|commit suicide)(?! (?:for|of|laughing))",
        "commit suicide|drink bleach|(?:swallow|take) (?:all|the whole bottle of) (?:the|your|those|of your) pills",
        "jump off (?:a|the) (?:bridge|roof|building|cliff|balcony)(?! with)",
        "jump in front of (?:a|the) (?:train|car|bus)",
        "(?:world|everyone|everybody|we|they) (?:would|will|ll|d) be better (?:off )?without you",
        "(?:world|everyone|everybody|we|they) (?:is|are|s|re) better off without you",
        "(?:no one|nobody) (?:would|will|ll) (?:ever )?(?:miss you(?! (?:more|like|as))|care if you (?:die|died))",
        spare="don t|do not|never|not|not to|didn t|if you|without|careful|thinking about|thoughts about",
    ),
    row(
        Category.SELF_HARM,
        "encourages self-harm",
        "toi va tu tes ta serait irait te",
        "(?:tue|tues|suicide|pends) toi|va (?:te (?:pendre|tuer|suicider)|mourir|crever)(?! de (?:rire|plaisir))",
        "tu (?:devrais|ferais mieux de) (?:mourir|crever|te (?:tuer|suicider|pendre))",
        "(?:ouvre|coupe|taille) toi les veines|mets fin a (?:tes jours|ta vie)",
        "le monde (?:serait|irait) mieux sans toi|personne ne te (?:regrettera|regretterait|pleurera)",
        spare="ne|jamais|pas",
    ),
    row(
        Category.SELF_HARM,
        "encourages self-harm",
        "suicidate ahorcate matas mueres morir morirte matarte "
        "suicidarte cortate matate muerete acaba quitate mundo nadie",
        "suicidate|ahorcate|(?:por que no te|deberias) (?:matas|mueres|morir|morirte|matarte|suicidarte)",
        "cortate las venas|matate(?! de)|muerete(?! de)|acaba con tu vida|quitate la vida",
        "el mundo (?:estaria|seria) mejor sin ti|nadie te (?:va a )?extranar(?:a|ia)?",
        spare="no|nunca|jamas",
    ),
    row(
        Category.SELF_HARM,
        "encourages self-harm",
        "dich dir sterben spring springe welt",
        "(?<!ich )bringe? dich (?:selbst |doch )?um(?! den)|(?<!ich )toe?te dich|hae?nge? dich auf|erhae?nge? dich",
        "schneide? dir die (?:pulsadern|adern)|nimm dir das leben|ritze? dich",
        "(?:du solltest|geh) (?:einfach |doch )?(?:sterben|dich umbringen|dich erhae?ngen)",
        "die welt wae?re besser (?:dran )?ohne dich|niemand (?:wird|wue?rde) dich vermissen",
        "springe? (?:von der brue?cke|vom (?:dach|hochhaus|balkon)|vor (?:den|einen) zug)",
        spare="nicht|nie|niemals",
    ),
)

# ── threats ─────────────────────────────────────────────────────────────────────────────────────────────────────────

_WILL = "(?:i|we) (?:will|ll|am going to|m going to|are going to|re going to|m about to|swear i ll|want to)"
_YOURS = "(?:nudes?|pics|photos|pictures|videos?(?! requests?)|secrets?|chats?|messages|face|name)"
_TELL = "(?:leak|post|publish|expose|release|send|share|show|tell)"
_THREATS = (
    row(
        Category.THREATS,
        "threatens somebody",
        "kill murder stab strangle burn behead drown hurt beat break smash shoot end destroy suffer leak post publish "
        "expose release send share show know watch dead killyou",
        f"{_WILL} (?:kill|murder|stab|strangle|burn|behead|drown) (?:you|your (?:family|mother|dog|kids)|her|him|them)"
        "(?! (?:with|in|at) )",
        "i ?(?:will|ll) ?kill ?you(?! with)",
        f"{_WILL} hurt (?:you|her|him|them)",
        f"{_WILL} beat (?:you|her|him|them) (?:up|to death|until|so (?:bad|hard)|bloody)",
        f"{_WILL} (?:break|smash) your (?:legs?|arms?|neck|bones|face|skull)",
        rf"{_WILL} shoot (?:you|him|her)(?= \.|$| (?:dead|down|in the|and|if|unless))",
        f"{_WILL} (?:find|come for|hunt) you(?: down)? and (?:\\w+ "
        ")?(?:kill|hurt|beat|end|destroy|make you (?:pay|suffer))",
        f"{_WILL} {_TELL} (?:all )?your {_YOURS}[^.]{{0,40}}(?:unless|if you (?:don "
        "t|do not|ever|leave|tell|block)|to your|everywhere|online|or else)",
        f"(?:pay|send)(?: me)?[^.]{{0,30}}\\bor (?:else )?i (?:ll|will) {_TELL}",
        "i know where you (?:live|sleep)(?! (?:best|well))|watch your back(?! (?:squat|form|posture))",
        "you (?:re|are) a dead (?:man|woman|girl|guy)",
        spare="never|not",
    ),
    row(
        Category.THREATS,
        "threatens somebody",
        "tuer buter crever frapper egorger etrangler bruler massacrer poignarder tuerai buterai creverai frapperai "
        "mourir payer regretter habites vis dors mal peau",
        "(?:je vais|on va) (?:te|vous|la|le) (?:tuer|buter|crever|"
        "frapper|egorger|etrangler|bruler|massacrer|poignarder)"
        "(?! de )",
        "je (?:te|vous) (?:tuerai|buterai|creverai|frapperai)|(?:je vais|on va) te faire (?:du mal|la peau)",
        "tu vas (?:mourir|crever|le payer|le regretter)(?! d)|je sais ou (?:tu|t) (?:habites|vis|dors)",
        spare="jamais|pas",
    ),
    row(
        Category.THREATS,
        "threatens somebody",
        "matar golpear apunalar disparar degollar estrangular quemar dano matarte matarla matarlo matare arrepentiras "
        "morir pagar pagaras vives duermes",
        "(?:te|lo|la|los) (?:voy|vamos) a (?:matar|golpear|apunalar|disparar|degollar|estrangular|quemar|hacer dano)"
        "(?! (?:de|a) )",
        "voy a matar(?:te|lo|la)(?! (?:de|a) )|te matare(?! (?:de|a) )",
        "te arrepentiras|(?<!te )vas a morir(?! (?:de|cuando))",
        "me las (?:vas a pagar|pagaras)|se donde (?:vives|duermes)",
        spare="nunca|no",
    ),
    row(
        Category.THREATS,
        "threatens somebody",
        "dich euch du ihn",
        "ich (?:werde|will) (?:dich|euch|sie|ihn) "
        "(?:toe?ten|umbringen|verprue?geln|erschiessen|abstechen|schlagen|erwue?rgen|verbrennen|fertigmachen)",
        "ich (?:bringe?|mache?|steche?|schlage?) (?:dich|euch) (?:um(?! den)|kalt|ab|tot)|ich toe?te dich",
        "ich weiss wo du (?:wohnst|schlae?fst)|du bist (?:so gut wie )?tot(?! mue?de)",
        "du wirst (?:sterben|das bereuen)(?! vor)",
        spare="nie|niemals|nicht",
    ),
)

# ── doxxing ─────────────────────────────────────────────────────────────────────────────────────────────────────────

_DOXXING = (
    row(
        Category.DOXXING,
        "tells where somebody lives or who they are",
        "name address lives nom adresse nombre direccion",
        "(?:her|his|their) (?:real|legal|full) name is|(?:her|his|their) (?:home )?address is|(?:she|he) lives at \\d+",
        "(?:son|sa) (?:vrai nom|adresse) est|su (?:nombre real|direccion) es",
        "(?:ihr|sein) (?:echter|richtiger) name ist|(?:ihre|seine) adresse ist",
    ),
)

# ── payment off the platform ────────────────────────────────────────────────────────────────────────────────────────

_PAY = "(?:pay(?:ing)?|send(?:ing)?|tip(?:ping)?|transfer(?:ring)?|deposit|wire|buy(?:ing)?|accept|take|payments?|use|"
_PAY += "paye[rz]?|envo(?:ie|yer|yez)|verse[rz]?|paga(?:r|me|rme)?|envia(?:r|me)?|manda(?:r|me)?|zahle?n?|bezahle?n?|"
_PAY += "schicke?n?|ue?berweis\\w*)"
_COIN = "(?:bitcoins?|btc|ethereum|eth|usdt|litecoin|ltc|dogecoin|crypto(?:currency|s)?|krypto|cryptos?|revolut|wise|"
_COIN += "bizum|lydia|skrill|neteller|paysafe(?:card)?|zelle|apple pay|google pay|gift ?cards?|steam cards?|"
_COIN += "gutscheinkarten?|cartes? cadeaux?|tarjetas? (?:de )?regalo)"
_COIN_WORDS = (
    "bitcoin bitcoins btc ethereum eth usdt litecoin ltc dogecoin crypto cryptos cryptocurrency krypto revolut "
)
_COIN_WORDS += "wise bizum lydia skrill neteller paysafe paysafecard zelle apple google gift giftcard giftcards steam "
_COIN_WORDS += "gutscheinkarte gutscheinkarten carte cartes tarjeta tarjetas"
_HERE = "(?:of|only ?fans|the (?:site|app|platform)|platform|this (?:site|app|platform|page)|here|fansly)"
_PLACE = "(?:la plateforme|plateforme|le site|du site|site|l application|l appli|onlyfans|d onlyfans|ici)"
_OUT = "asks to pay off the platform"
_PAYMENT = (
    row(
        Category.PAYMENT,
        _OUT,
        "cashapp cash cashtag zelle western moneygram paysafecard wire bank virement virements transferencia "
        "bankuberweisung bankueberweisung pay paypa iban sepa",
        "cash ?app|cashtag|pay pal (?:me|is|com|account|link|accepted|and|or)",
        "(?:on|via|by|with|my|through|use|have|per|par|por) pay pal",
        "(?:via|on|by|with|my|through|to|use|me|have|per|por|con|mit|par|accept) zelle",
        "zelle (?:me|is|works|payment)|western union",
        "moneygram|pay ?safe ?card|(?:bank|wire) transfer|virements? (?:bancaires?|sur mon)|transferencia bancaria",
        "bankue?berweisung|iban",
    ),
    row(
        Category.PAYMENT,
        _OUT,
        _COIN_WORDS,
        rf"{_PAY} (?:\w+ ){{0,5}}{_COIN}",
        rf"{_COIN} (?:accepted|payments?|wallet|address|works too)",
        spare="don t|do not|never|not to|scam|ne|nunca|niemals",
    ),
    row(
        Category.PAYMENT,
        _OUT,
        "outside off away offsite directly privately cash person account bank card routing wallet table",
        "(?:pay|paying|payment|payments|tip|buy|money|cheaper|"
        rf"settle)\b[^.]{{0,40}}\b(?:outside|off|away from) (?:of )?{_HERE}",
        r"(?:pay|tip) (?:me )?(?:outside|off ?site|under the table)|pay me (?:directly|privately|in cash|in person)",
        r"(?:bank details|account number|routing number) (?:is|are)|off (?:the )?platform payments?",
        "(?:send|transfer|wire) (?:it |the money |money |cash "
        ")?(?:directly |straight )?to my (?:account|bank|wallet|card)",
        spare="don t|do not|never|not to|scam",
    ),
    row(
        Category.PAYMENT,
        _OUT,
        "dehors hors virement compte rib direct directement",
        rf"(?:paye|payer|payez|paie|regle|regler)\b[^.]{{0,30}}\b(?:en dehors|hors)(?: (?:de|d|du))? {_PLACE}",
        rf"(?:en dehors|hors)(?: (?:de|d|du))? {_PLACE}\b[^.]{{0,30}}\b(?:pay|pai|regl|moins cher)\w*",
        r"(?:paye|paie|regle) moi (?:en dehors|directement|en direct|en liquide)|fais moi un virement|mon rib",
        r"envoie (?:moi )?(?:l argent|des sous|l oseille) (?:directement|sur mon compte)",
        spare="ne|jamais|pas",
    ),
    row(
        Category.PAYMENT,
        _OUT,
        "fuera transferencia dinero directamente lado efectivo",
        r"(?:paga|pagame|pagar|pagarme|paguen|pagas)\b[^.]{0,30}\b(?:fuera "
        "de|por fuera|en otro lado|directamente|en efectivo)",
        r"fuera de (?:la )?(?:plataforma|pagina|onlyfans|aqui)\b[^.]{0,25}\b(?:pag|barat)\w*|hazme una transferencia",
        r"(?:envia|manda)(?:me)? (?:el )?dinero a mi (?:cuenta|tarjeta)",
        spare="no|nunca",
    ),
    row(
        Category.PAYMENT,
        _OUT,
        "ausserhalb vorbei direkt privat uberweise ueberweise uberweis "
        "ueberweis uberweisen ueberweisen uberweisung ueberweisung geld neben",
        r"(?:be)?zahle?n?\b[^.]{0,30}\b(?<!nie )(?<!niemals )(?:ausserhalb|"
        "neben der plattform|an onlyfans vorbei|direkt an mich|privat)",
        r"ausserhalb (?:der plattform|von onlyfans|der seite)\b[^.]{0,25}\b(?:zahl|bezahl|billig|gue?nstig)\w*",
        "ue?berweise?n? (?:mir|es|das geld)|ue?berweisung (?:an|auf) mein",
        "schicke? (?:mir )?das geld (?:direkt|auf mein konto)",
        spare="nie|niemals|nicht",
    ),
)

BLOCKS = (*_MINORS, *_FORCE, *_SELF_HARM, *_THREATS, *_DOXXING, *_PAYMENT)

RUN_TOGETHER = (
    (
        Category.MINORS,
        "puts minors in a sexual light",
        ("childporn", "kinderporn", "jailbait", "kiddyporn", "pedoporn"),
    ),
    (Category.MINORS, "names minors", ("iamunderage", "imunderage", "underagegirl")),
    (Category.SELF_HARM, "encourages self-harm", ("killyourself", "hangyourself", "suicidetoi", "bringdichum")),
    (Category.THREATS, "threatens somebody", ("illkillyou", "willkillyou", "iknowwhereyoulive")),
    (Category.PAYMENT, _OUT, ("paypal", "paypai", "venmo", "cashapp", "westernunion", "moneygram")),
)
"""Phrases looked for inside words too, where no other word holds them."""

# ── a fan in need ───────────────────────────────────────────────────────────────────────────────────────────────────

CRISIS = re.compile(
    r"\b(?:"
    + "|".join(
        (
            r"(?:kill|hurt|harm|hang|cut|cutting|killing|hurting) my ?self(?! (?:laughing|short|some|off))",
            r"(?:i )?(?:want|wish) (?:to |i could )?(?:just )?die(?! (?:of|for|from|laughing|hard|in your))",
            r"(?:don t|do not) (?:want|wish) to (?:live|be alive|exist|wake up|be here any ?more)|no reason to live",
            r"suicidal|commit suicide|suicide thoughts|end (?:it all|my (?:own )?life)|take my own life|kms",
            r"better off (?:dead|without me)|self ?harm\w*|wish i (?:was|were) (?:dead|never born)",
            r"(?:je veux|envie de|je vais) (?:mourir|crever|en finir|me (?:tuer|suicider|pendre|faire du mal))(?! de )",
            r"me suicider|je (?:ne )?veux plus vivre|plus envie de vivre|en finir avec la vie|me scarifie\w*",
            r"(?:me )?(?:quiero|voy a|ganas de) (?:morir(?:me)?|matarme|suicidarme|hacerme dano)(?! de)",
            "no quiero (?:seguir )?vivi(?:r|endo)(?! (?:en|con))",
            "quitarme la vida|acabar con (?:todo|mi vida)|suicidarme",
            "(?:will|moe?chte) (?:(?:nur noch |einfach |nur )?sterben|nicht mehr leben)",
            "bringe? mich um|mich umbringen",
            r"selbstmord|suizid\w*|mir (?:das leben nehmen|etwas antun)",
            "keinen sinn mehr im leben|mich (?:ritzen|erhae?ngen)",
        )
    )
    + r")\b"
)
