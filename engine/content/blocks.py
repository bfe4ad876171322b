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

from engine.content.minors import MINORS
from engine.content.row import NO, Category, row

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
        spare=NO + "|wrong",
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

BLOCKS = (*MINORS, *_FORCE, *_SELF_HARM, *_THREATS, *_DOXXING, *_PAYMENT)

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
