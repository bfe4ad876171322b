"""The hard blocks that protect minors, as rows; see `engine.content.blocks` for how rows are read."""

from __future__ import annotations

from engine.content.row import NO, Category, row

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

MINORS = (
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
        spare=NO + "|if",
    ),
)
