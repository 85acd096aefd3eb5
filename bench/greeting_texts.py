"""What people and machines say when they answer, by language; and who says it."""

from __future__ import annotations

from typing import Literal

Half = Literal["train", "test"]
Texts = tuple[tuple[str, str], ...]

VOICES: dict[Half, dict[str, tuple[str, ...]]] = {
    "train": {
        "en": ("en-us", "en-gb-scotland"),
        "de": ("de",),
        "fr": ("fr-fr",),
        "es": ("es",),
        "it": ("it",),
        "pl": ("pl",),
    },
    "test": {
        "en": ("en-gb", "en-029", "en-us-nyc"),
        "de": ("de",),
        "fr": ("fr-be",),
        "es": ("es-419",),
        "pt": ("pt-br",),
        "nl": ("nl",),
        "ru": ("ru",),
    },
}
"""Language -> voices of espeak-ng."""

HUMAN: dict[Half, Texts] = {
    "train": (
        ("en", "Hello?"),
        ("en", "Yes?"),
        ("en", "Hello, who is this?"),
        ("en", "Hello, this is Alice speaking."),
        ("en", "Smith residence."),
        ("en", "Hi, Tom here. Who is calling?"),
        ("de", "Hallo?"),
        ("de", "Müller."),
        ("de", "Ja, bitte?"),
        ("fr", "Allô?"),
        ("fr", "Oui, bonjour."),
        ("es", "¿Dígame?"),
        ("es", "Hola, ¿quién es?"),
        ("it", "Pronto?"),
        ("it", "Pronto, chi parla?"),
        ("pl", "Halo, słucham?"),
    ),
    "test": (
        ("en", "Hello?"),
        ("en", "Good morning."),
        ("en", "Hello? Hello?"),
        ("en", "Yes, hello?"),
        ("en", "Hello, Bob speaking."),
        ("en", "Johnson here."),
        ("de", "Ja, hallo?"),
        ("de", "Schneider, guten Tag."),
        ("de", "Ja?"),
        ("fr", "Allô, oui?"),
        ("fr", "Bonjour, qui est à l'appareil?"),
        ("es", "¿Bueno?"),
        ("es", "¿Sí, aló?"),
        ("pt", "Alô?"),
        ("pt", "Alô, quem fala?"),
        ("nl", "Met Jan de Vries."),
        ("ru", "Алло, слушаю вас."),
    ),
}

LONG_HUMAN: dict[Half, Texts] = {
    "train": (
        ("en", "Hello, this is Alice speaking, how can I help you?"),
        ("en", "Good afternoon, Miller and Sons. What can I do for you?"),
        ("de", "Guten Tag, hier ist Peter Schmidt. Wer ist am Apparat?"),
        ("fr", "Allô, bonjour. Marie à l'appareil. Qui est là?"),
    ),
    "test": (
        ("en", "Hello, this is Bob speaking, who is calling please?"),
        ("en", "Hi, you got Susan. Who am I talking to?"),
        ("de", "Hallo, Familie Wagner. Mit wem spreche ich?"),
        ("nl", "Goedemorgen, met Anna. Met wie spreek ik?"),
    ),
}
"""More words than the default `greeting_duration` leaves room for in one breath."""

MACHINE: dict[Half, Texts] = {
    "train": (
        ("en", "Hi, you have reached the voicemail of Tom Baker. I cannot take your call right "
               "now. Please leave a message after the tone."),
        ("en", "Hello. We are not at home. Please leave your name and number after the beep."),
        ("en", "The person you are calling is not available. At the tone, please record your "
               "message. When you have finished, you may hang up."),
        ("en", "Your call has been forwarded to an automatic voice message system. "
               "Five five five, one two one two, is not available."),
        ("en", "Hey, it's Mike. Leave me a message."),
        ("en", "Thank you for calling Acme. Our office is closed. Please call again tomorrow "
               "between nine and five."),
        ("de", "Guten Tag, Sie sind verbunden mit dem Anschluss von Familie Müller. Bitte "
               "hinterlassen Sie eine Nachricht nach dem Signalton."),
        ("de", "Der gewünschte Gesprächspartner ist zur Zeit nicht erreichbar."),
        ("de", "Hallo. Wir sind nicht da. Bitte sprechen Sie nach dem Ton."),
        ("fr", "Bonjour, vous êtes bien sur la messagerie de Paul Martin. Laissez un message "
               "après le bip sonore."),
        ("fr", "Votre correspondant n'est pas disponible pour le moment. Veuillez rappeler "
               "ultérieurement."),
        ("es", "Hola, ha llamado al buzón de voz de Juan. Por favor, deje su mensaje después "
               "de la señal."),
        ("it", "Salve, in questo momento non posso rispondere. Lasciate un messaggio dopo il "
               "segnale acustico."),
        ("pl", "Dzień dobry, tu automatyczna sekretarka. Proszę zostawić wiadomość po sygnale."),
    ),
    "test": (
        ("en", "Hello, this is Bob. I'm sorry I missed your call. Leave a message after the beep "
               "and I will get back to you as soon as possible."),
        ("en", "You have reached the Johnson family. We can't come to the phone right now. Please "
               "leave a message."),
        ("en", "Hi. This is Karen. I'm away from my desk. Leave your name, your number, and a "
               "short message."),
        ("en", "The mobile customer you have called is not available. Please try again later."),
        ("en", "Welcome to the message centre. The subscriber cannot answer. To leave a message, "
               "speak after the tone."),
        ("en", "You know what to do. Wait for the beep."),
        ("de", "Hallo, hier ist die Mailbox von Anna Schneider. Nachrichten bitte nach dem "
               "Piepton."),
        ("de", "Dies ist der Anrufbeantworter der Praxis Doktor Wagner. Unsere Sprechzeiten sind "
               "Montag bis Freitag von acht bis zwölf Uhr."),
        ("fr", "Bonjour. Nous sommes absents. Merci de laisser vos coordonnées et nous vous "
               "rappellerons."),
        ("fr", "Vous êtes en communication avec le répondeur de Claire. Parlez après le signal."),
        ("es", "El número que usted marcó no está disponible. Deje un mensaje después del tono."),
        ("pt", "Você ligou para a caixa postal. Deixe o seu recado após o sinal."),
        ("nl", "Dit is de voicemail van Jan de Vries. Spreek een bericht in na de toon."),
        ("ru", "Абонент временно недоступен. Пожалуйста, оставьте сообщение после сигнала."),
    ),
}  # fmt: skip
