"""The hard blocks, line by line: what is blocked as what, what is disguised, and what only looks like it."""

from __future__ import annotations

import time

import pytest

from engine.content import Severity, check, is_crisis, screen

BLOCKED = {
    "minors": """
        I'm 15 and I love your messages
        she is 16 years old
        im 14 wanna chat
        15yo here
        my age is 13
        I just turned sixteen, come celebrate
        she looks like 12
        pretend you're a little girl for me
        a sexy schoolgirl is waiting
        naked kids
        I am underage but don't tell
        barely legal and all yours
        jailbait pics in your inbox
        I'm a minor but so what
        she's still in high school
        I turn 18 next month
        sweet sixteen and ready
        my little sister is 15 and naked
        17 y/o babe
        when I was 14 I was already so horny
        j'ai 15 ans et je suis à toi
        je suis mineure mais chut
        je suis lycéenne, viens
        une fille de 13 ans
        petites filles nues
        tengo 16 años
        soy menor de edad
        chica de 14 años
        colegialas desnudas
        ich bin erst 15
        Ich bin 17, schreib mir
        ich bin 16 Jahre alt
        ich bin noch minderjährig
        ein 14-jähriges Mädchen
        nackte Schülerinnen
    """,
    "non_consent": """
        I want to rape you
        watch her getting raped
        this is a non-consensual video
        revenge porn of my ex
        I filmed her without her consent
        he took her against her will
        I put roofies in her glass
        she was drugged
        I fucked her while she was asleep
        hidden camera in the girlfriend's shower, hidden cam of my roommate
        force myself on you
        un viol filmé
        je la prends contre sa volonté
        sans son consentement
        quiero violarte
        la grabé sin su consentimiento
        contra su voluntad
        una violación en vídeo
        ich will dich vergewaltigen
        gegen ihren Willen
        ohne ihre Zustimmung gefilmt
    """,
    "self_harm": """
        just kill yourself
        kys loser
        you should die
        go hang yourself
        slit your wrists
        go and end your life already
        the world would be better without you
        nobody would miss you
        jump off a bridge
        drink bleach
        you deserve to die
        just end it all
        suicide-toi
        va te pendre
        tu devrais mourir
        ouvre-toi les veines
        le monde serait mieux sans toi
        mátate ya
        suicídate
        deberías morirte
        quítate la vida
        nadie te extrañará
        bring dich um
        häng dich auf
        geh sterben
        du solltest dich umbringen
        die Welt wäre besser ohne dich
    """,
    "threats": """
        I will kill you
        I'm gonna stab you
        I'm going to hurt you
        I'll beat you up
        I will break your legs
        I'll shoot you dead
        I know where you live
        watch your back
        I'll leak your nudes unless you subscribe
        send me 500 or I'll tell your wife
        je vais te tuer
        je vais te buter
        je sais où tu habites
        tu vas le regretter
        te voy a matar
        voy a matarte
        sé dónde vives
        vas a morir
        ich werde dich umbringen
        ich bringe dich um
        ich weiß, wo du wohnst
        ich mach dich kalt
    """,
    "doxxing": """
        call me at 415-555-0132
        (212) 555-0187
        +33 6 12 34 56 78
        my number is 06 12 34 56 78
        llámame al 612 345 678
        +49 170 1234567
        ruf mich an: 0170 1234567
        5 5 5 0 1 9 2 8 3 7
        five five five zero one nine two eight
        write to anna.rivers@example.com
        anna (at) gmail (dot) com
        anna at gmail dot com
        my SSN is 123-45-6789
        1 85 05 78 006 084 36
        mi DNI es 12345678Z
        passport X12345678
        she lives at 12 Baker Street
        1600 Pennsylvania Avenue
        12 rue de la Paix
        14 bis avenue Victor Hugo
        calle Mayor 15
        Hauptstraße 12
        Lindenallee 4
        P.O. Box 4711
        her real name is Jane Miller
        son vrai nom est Marie Dupont
        su dirección es la de siempre
        ihr echter Name ist Petra
    """,
    "payment": """
        pay me on PayPal
        my Venmo is open
        cash app me
        CashApp is cheaper
        paypal.me/anna
        send it via Zelle
        western union works
        pay me outside
        pay me directly and save
        it is cheaper outside the platform
        tip me outside of OnlyFans
        send bitcoin
        I accept crypto
        you can pay with an Amazon gift card
        0x52908400098527886e0f7030069857d2e4169ee7
        bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq
        1BoatSLRHtKNngkdXEeobR76b53LETtpyT
        GB82 WEST 1234 5698 7654 32
        DE89370400440532013000
        my card 4111 1111 1111 1111
        wire transfer only
        paye-moi en dehors de la plateforme
        fais-moi un virement
        envoie-moi l'argent sur mon compte
        règle hors du site
        págame por fuera
        hazme una transferencia
        paga por Bizum
        pagos por Zelle
        fuera de la plataforma es más barato
        bezahl mich außerhalb der Plattform
        überweise mir das Geld
        Überweisung an mein Konto
        zahl direkt an mich
    """,
}

DISGUISED = {
    "payment": """
        p a y p a l
        P@yP@l
        paypa1
        p.a.y.p.a.l
        p-a-y-p-a-l
        p_a_y_p_a_l
        раураl
        ｐａｙｐａｌ
        𝓹𝓪𝔂𝓹𝓪𝓵
        🅿🅰🆈🅿🅰🅻
        pa\u200bypal
        pa\u00adypal
        p\u0334a\u0334y\u0334p\u0334a\u0334l\u0334
        pаypаl
        v3nm0
        paaaaypal
        c4sh4pp
        mypaypalme
    """,
    "self_harm": """
        k i l l  y o u r s e l f
        k1ll y0urs3lf
        k!ll yourself
        kıll yourself
        kiiiill yourself
        KILL YOURSELF
        kill\u200b yourself
        kíll yóursélf
        kill-yourself
        killyourself
        m a t a t e
    """,
    "threats": """
        i w i l l k i l l y o u
        I w1ll k1ll y0u
        І wіll kіll уоu
    """,
    "minors": """
        u n d e r a g e girls
        und3rage and proud
        i am 1 5 . no wait, fifteen years old
        I'm f1fteen years old
        p r e t e e n
    """,
    "non_consent": """
        r a p e
        r@pe
        rаpe
        rаре her
    """,
    "doxxing": """
        ＋３３ ６ １２ ３４ ５６ ７８
        ６１２ ３４５ ６７８
        anna@\u200bexample.com
    """,
}

HARMLESS = """
    18+ only
    18+ only, no minors allowed
    No underage users, ever
    I'm 18 and new here
    I'm 25 years old
    I'm 10 minutes away
    I'm 15 minutes late, sorry
    my dog is 5 years old
    my channel turned 10 years old
    a 12 year old whisky and you
    15 years of experience
    I've been gaming since I was 10
    she's a 10
    he is 10 out of 10
    j'ai 10 ans d'expérience
    j'ai 25 ans
    tengo 10 años de experiencia
    tengo 30 años
    ich bin 30 Jahre alt
    ich bin in 10 Minuten da
    interdit aux mineurs
    un détail mineur
    prohibido a menores de edad
    keine Minderjährigen
    baby I missed you
    come here, baby girl
    kill time with me tonight
    killing it at the gym
    you're killing me
    I'll kill you with kindness
    this outfit will kill you
    I'm dying to see you
    I could die for chocolate
    that look is to die for
    don't hurt yourself at the gym
    please don't kill yourself
    if you think about suicide, call 988
    cut yourself some slack
    tu me tues, mort de rire
    tu vas mourir de rire
    te voy a matar a besos
    muérete de envidia
    vas a morir de risa
    ich bringe dich um den Verstand
    I'll beat you at Mario Kart
    I'm going to beat you in the next round
    I'll shoot you a message later
    I'll share my new video with you
    I would never hurt you
    grapes and a good book
    scraped my knee
    the violin and the viola
    une robe violette
    violar las normas tiene consecuencias
    una violación de las normas
    I'd never post anything without your consent
    nothing happens without your permission
    jamais sans ton accord
    nunca sin tu consentimiento
    niemals ohne deine Zustimmung
    call me maybe
    my address to you is darling
    text me back
    you have my number
    prices like $20 and $49.99
    only $1,000,000 and it's yours
    in 2024, 2025 and 2026
    see you at 9:30
    on 12.05.2026 at 14:30
    12/05/2026 - 14/05/2026
    10 9 8 7 6 5 4 3 2 1 go
    one two three four five six seven eight
    ten nine eight seven six five four three two one
    100000000 kisses
    1,234,567 views
    3 new videos on the way
    5 minutes down the road
    2 hours on the road
    look at onlyfans.com
    meet me at the top of my page
    follow @anna
    the third street on the left
    Straße und Platz
    platz 1 im Ranking
    tip 50 here on the page
    tip me here
    pay attention
    time to pay, pal
    a wise choice
    a gift card of kisses
    I love crypto memes
    worth every cent
    cash in on this offer
    in der Zelle ist es dunkel
    Lydia says hi
    never pay anyone outside the platform
    ne paye jamais en dehors de la plateforme
    nunca pagues fuera de la plataforma
    zahle niemals außerhalb der Plattform
    unlock it here for $15
    the new set has 24 photos and 3 videos
    do you want me on top or below? 😈
    fuck, you look good
    I'm horny and thinking of you
    want to see me naked?
    I want you inside me, daddy
    je suis nue sous ma robe
    estoy desnuda para ti
    ich bin nackt und warte
    tie me up and spank me
    Guten Morgen, mein Schatz
    Bonjour mon cœur, bien dormi ?
    ¿Cómo estás, cariño?
    Привет, как дела?
    おはよう、元気？
    L o v e you
    I ❤ U 4ever
    gr8 2 c u, m8
    yaaaas queeeen
    3x12 reps, 4 sets, 90 s rest
    PB: 100 kg x 5
    GG WP, 12-3 in the last round
    v2.0 is out
    6.12.2026
    the 5th of May
    it's 10 years old, this sweater
    du bist tot müde
    my bank account is crying
    I'll send your pics if you tip
    I will post your video request online tonight
    watch your back squat form
    nobody will miss you more than me
    I know where you sleep best: next to me
    jump off the bridge with me, bungee!
    we are better without you saying sorry
    you're going to die when you see this
    12 hot new looks on the road
    back to school outfits
    my 3 year old laptop died
"""

CRISES = """
    I want to die
    I'm going to kill myself
    i dont want to live anymore
    I feel suicidal
    everyone is better off without me
    I keep cutting myself
    I want to end it all
    je veux mourir
    j'ai envie de me suicider
    je ne veux plus vivre
    quiero morirme
    no quiero vivir
    voy a suicidarme
    ich will sterben
    ich will nicht mehr leben
    ich bringe mich um
    I w4nt to d1e
"""

NO_CRISES = """
    I'm dying to see you
    I want to die laughing
    this heat is killing me
    kill time with me
    je veux te voir, je meurs de rire
    quiero verte
    ich will dich sehen
    cut myself some cake
    I want to live with you
"""


def lines(block: str) -> list[str]:
    return [line.strip() for line in block.strip().splitlines()]


def labelled(blocks: dict[str, str]) -> list[tuple[str, str]]:
    return [(category, line) for category, block in blocks.items() for line in lines(block)]


@pytest.mark.parametrize(("category", "text"), labelled(BLOCKED))
def test_what_no_message_may_say_is_blocked_as_what_it_is(category: str, text: str) -> None:
    assert check(text).category == category


@pytest.mark.parametrize(("category", "text"), labelled(BLOCKED))
def test_a_block_holds_inside_a_longer_message_and_in_capitals(category: str, text: str) -> None:
    assert check(f"Hey love, how are you? {text.upper()}. See you soon!").category == category


@pytest.mark.parametrize(("category", "text"), labelled(DISGUISED))
def test_a_disguise_hides_nothing(category: str, text: str) -> None:
    assert check(text).category == category


@pytest.mark.parametrize("text", lines(HARMLESS))
def test_what_only_looks_like_it_passes(text: str) -> None:
    assert check(text).reason == ""


@pytest.mark.parametrize("text", lines(CRISES))
def test_a_fan_in_need_is_heard(text: str) -> None:
    assert is_crisis(text)


@pytest.mark.parametrize("text", [*lines(NO_CRISES), *lines(HARMLESS)])
def test_a_figure_of_speech_is_no_crisis(text: str) -> None:
    assert not is_crisis(text) or "suicide" in text


def test_the_reason_says_what_it_is_and_quotes_nothing() -> None:
    verdict = check("write to anna.rivers@example.com")

    assert (verdict.allowed, verdict.reason) == (False, "the text holds an e-mail address")
    assert screen("write to anna.rivers@example.com") == "doxxing: the text holds an e-mail address"


def test_a_text_that_passes_has_no_reason() -> None:
    assert screen("Good morning!") == ""


def test_what_endangers_a_person_is_graver_than_what_costs_money() -> None:
    assert check("kill yourself").severity is Severity.CRITICAL
    assert check("pay me on PayPal").severity is Severity.HIGH


@pytest.mark.parametrize(
    "piece",
    ["a", "1", "1 ", "1 7 ", "!", "-", "a1", "a ", ".a", "a.b@", "k i l l ", "ab12 ", "when she was 15 ", "pay ", "@$"],
)
def test_no_text_is_slow_to_check(piece: str) -> None:
    text = (piece * 2_000)[:2_000]

    start = time.perf_counter()
    check(text)

    assert time.perf_counter() - start < 0.1  # a runaway pattern takes seconds
