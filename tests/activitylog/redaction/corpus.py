"""
What redaction is tried on: made-up secrets of every kind, innocent texts that look like them, hostile texts.

No secret is a real one, and none stands here in one piece: scanners of repositories would stop at them.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Final, NamedTuple


class Secret(NamedTuple):
    """A text with a secret in it."""

    kind: str
    """The reason that is noted."""
    text: str
    secret: str
    """The part of the text that must be gone."""

    @property
    def prose_left(self) -> str:
        """The text as it must be afterwards."""
        return self.text.replace(self.secret, "[redacted]")


def _base64(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


_LETTERS: Final = "Zq3Xv9LmT7bRk2WcY8nJ5hGd4sPf6aUeB1oNiKtM"
_HEX: Final = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b"
_HEADER: Final = _base64(json.dumps({"alg": "HS256", "typ": "JWT"}))
_PAYLOAD: Final = _base64(json.dumps({"sub": "1234567890", "name": "Ada"}))
JWT: Final = f"{_HEADER}.{_PAYLOAD}.{_LETTERS}"
JWE: Final = f"{_HEADER}.{_LETTERS}.{_LETTERS[:16]}.{_LETTERS}.{_LETTERS[:22]}"


def pem(label: str, lines: int = 12, *, end: bool = True) -> str:
    """A private key's text."""
    body = "\n".join(f"MIIEvQ{_LETTERS}{_LETTERS[:17]}" for _ in range(lines))
    return f"-----BEGIN {label}-----\n{body}" + (f"\n-----END {label}-----" if end else "")


def _in_prose(kind: str, secret: str) -> Secret:
    return Secret(kind, f"before {secret} after", secret)


_TOKENS: Final = {
    "github": "gh" + "p_" + _LETTERS[:36],
    "github_oauth": "gh" + "o_" + _LETTERS[:36],
    "github_fine": "github" + "_pat_" + _LETTERS[:22] + "_" + _LETTERS,
    "gitlab": "glp" + "at-" + _LETTERS[:20],
    "slack": "xo" + "xb-" + "123456789012-" + _LETTERS[:24],
    "slack_app": "xa" + "pp-" + "1-A012-345-" + _HEX,
    "stripe": "sk" + "_live_" + _LETTERS[:24],
    "stripe_test": "rk" + "_test_" + _LETTERS[:24],
    "stripe_hook": "wh" + "sec_" + _LETTERS[:32],
    "google": "AI" + "za" + _LETTERS[:35],
    "google_oauth": "ya" + "29." + _LETTERS,
    "google_client": "GOC" + "SPX-" + _LETTERS[:28],
    "openai": "sk" + "-proj-" + _LETTERS,
    "anthropic": "sk" + "-ant-api03-" + _LETTERS,
    "npm": "np" + "m_" + _LETTERS[:36],
    "pypi": "py" + "pi-" + _LETTERS + _LETTERS,
    "huggingface": "h" + "f_" + _LETTERS[:34],
    "digitalocean": "do" + "p_v1_" + _HEX + _HEX[:24],
    "shopify": "shp" + "at_" + _HEX[:32],
    "sendgrid": "S" + "G." + _LETTERS[:22] + "." + _LETTERS,
    "age": "AGE-SECRET" + "-KEY-1" + (_LETTERS + _LETTERS).upper()[:58],
}
_BASIC: Final = base64.b64encode(b"ada:open-sesame").decode()

SECRETS: Final[tuple[Secret, ...]] = (
    *(_in_prose("api_key", token) for token in _TOKENS.values()),
    _in_prose("aws_key", "AK" + "IA" + _LETTERS.upper()[:16]),
    _in_prose("aws_key", "AS" + "IA" + _LETTERS.upper()[:16]),
    _in_prose("jwt", JWT),
    _in_prose("jwt", JWE),
    _in_prose("jwt", f"{_HEADER}.{_PAYLOAD}."),
    Secret("jwt", f"id_is-{JWT}", JWT),
    Secret("jwt", f"https://h/x?jwt_is/{JWT}", JWT),
    _in_prose("private_key", pem("PRIVATE " + "KEY")),
    _in_prose("private_key", pem("OPENSSH PRIVATE " + "KEY")),
    _in_prose("private_key", pem("ENCRYPTED PRIVATE " + "KEY").replace("\n", "\\n")),
    _in_prose("private_key", pem("PGP PRIVATE " + "KEY BLOCK")),
    Secret(
        "private_key", "cut: " + pem("RSA PRIVATE " + "KEY", end=False), pem("RSA PRIVATE " + "KEY", end=False)
    ),
    Secret(
        "private_key",
        "tail: " + pem("RSA PRIVATE " + "KEY")[200:] + " after",
        pem("RSA PRIVATE " + "KEY")[200:],
    ),
    Secret("authorization", f"Authorization: Bearer {_HEX} sent", _HEX),
    Secret("authorization", f"bearer {_LETTERS}", _LETTERS),
    Secret("authorization", f"{{'Authorization: Basic {_BASIC}'}}", _BASIC),
    Secret("url_password", "cannot reach postgres://ada:open-sesame@db:5432/shop", "open-sesame"),
    Secret("url_password", "redis://:open-sesame@cache/0", "open-sesame"),
    Secret("url_password", "amqp://ada:open@sesame@mq/", "open@sesame"),
    Secret("url_password", "https://ada:open/sesame#1@h/x", "open/sesame#1"),
    Secret("assignment", "GET /reset?user=7&token=open-sesame&x=1", "open-sesame"),
    Secret("assignment", "https://h/cb?access_token=open-sesame#top", "open-sesame#top"),
    Secret("assignment", "Server=db;Uid=ada;Pwd=open-sesame;Timeout=5", "open-sesame"),
    Secret("assignment", "Server=db;Uid=ada;Pwd={open; sesame};Timeout=5", "open; sesame"),
    Secret("assignment", '{"user": "ada", "password": "open \\n sesame", "x": 1}', "open \\n sesame"),
    Secret("assignment", "{'apiKey': 'open-sesame', 'x': 1}", "open-sesame"),
    Secret("assignment", '{\\"client_secret\\": \\"open-sesame\\"}', "open-sesame"),
    Secret("assignment", "connect(password=open-sesame)", "open-sesame"),
    Secret("assignment", "user[password]=open-sesame", "open-sesame"),
    Secret("assignment", "PGPASSWORD=open-sesame psql", "open-sesame"),
    _in_prose("card", "4111" + "111111111111"),
    _in_prose("card", "4111" + " 1111 1111 1111"),
    _in_prose("card", "5555" + "-5555-5555-4444"),
    _in_prose("card", "3782" + " 822463 10005"),
    _in_prose("card", "3056" + "9309025904"),
    _in_prose("card", "6011" + "\u00a01111\u00a01111\u00a01117"),
    _in_prose("card", "2223" + "003122003222"),
    Secret("card", "12 4111" + " 1111 1111 1111 12/27", "4111" + " 1111 1111 1111"),
    Secret("card", "2026-01-02 4111" + "111111111111.", "4111" + "111111111111"),
)

#: A 16-digit number that is a card's by every rule: as an id it must stay.
LUHN_ID: Final = "4111" + "111111111111"

#: Values of ordinary attributes, and texts, that must stay as they are.
INNOCENT: Final[tuple[str, ...]] = (
    "0198c0de-1234-7abc-8def-0123456789ab",
    "12345678-1234-4111-8111-111111111111",
    "e83c5163316f89bfbde7d9ab23ca2e25604af290",
    "4bf92f3577b34da6a3ce929d0e0e4736",
    "2026-11-24T20:51:59.123456Z",
    "1763000000000000000",
    "1763000000000",
    "+49 170 1234567 or +1 (555) 010-9999",
    "order 2026-0001234-5678",
    "4111" + "111111111112",
    "9999" + " 9999 9999 9995",
    "0.4111" + "1111111111117",
    "v4111.1111.1111.1111",
    "1234567890" * 8,
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAUAAAAFCAYAAACNbyblAAAAHElEQVQI12P4",
    "/9j/4AAQSkZJRgABAQEAYABgAAD/2wBDAAIBAQIBAQICAgICAgICAwUDAwMDAwYEBAMFBwYHBwcG",
    "eyJpZCI6MTIzLCJuZXh0Ijp0cnVlfQ",
    "eyJ.example.com is no token, and neither is keyJar.find.first.last",
    "Basic training begins at noon; basic authentication is off",
    "the bearer of bad news: bearer authentication-required",
    "password reset requested",
    "Your password must have 12 characters, see password: rules",
    "secretary of state, tokenizer, authority, author, session, cookie-cutter",
    "sk-learn-pipeline-for-all-of-the-people",
    "task-force-one-two-three-four-five-six",
    "https://example.com:8080/@ada/posts",
    "https://example.com/a@b.example",
    "git@example.com:owner/repository.git",
    "mailto:ada@example.com",
    "https://h/search?q=tokens&page=2&max_tokens=100&token_type=bearer&author=ada",
    "retry=true password=None has_password=true token_count=312",
    "if password == expected: return",
    "-----BEGIN CERTIFICATE-----\nMIIDdzCCAl+gAwIBAgIEAgAAuTANBgkqhkiG9w0BAQUFADBa\n-----END CERTIFICATE-----",
    "-----BEGIN PUBLIC KEY-----\nMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA\n-----END PUBLIC KEY-----",
    "a PRIVATE KEY is needed, Jane said",
    "AKIATOOSHORT and ASIAN cuisine, AIzawa",
    "gh_pages, github_pages, __pat__, xoxo-love, test_live_server",
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36",
    "192.168.1.100:5432, 2001:db8::1, 3.14159265358979",
    "lat=52.520008 lon=13.404954",
)


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


#: Keys whose values are secrets, and keys whose values are not.
SECRET_KEYS: Final = (
    "\uff50\uff41\uff53\uff53\uff57\uff4f\uff52\uff44",
    *_words(
        """
    password dbPassword db_password DB-PASSWORD password2 user.password passwd pwd userpassword X-Api-Key apiKey
    APIKey api_key stripeApiKey secret client_secret clientSecret SECRET_KEY access_token accessToken OAuthToken
    token csrfToken refresh_token id_token session_token authorization proxy-authorization
    http.request.header.authorization http.request.header.cookie set-cookie cookie cookies private_key
    privateKey sshPrivateKey cvv cvc2 card_number cardNumber credit_card ssn social_security_number otp passphrase
    aws_secret_access_key connection_string credentials password_reset_token Passwort contraseña пароль
    encryption_key jwt
    """
    ),
)
INNOCENT_KEYS: Final = _words(
    """
    token_count tokens_per_second token_type author authority authors session session.id sessions secretary
    tokenizer tokenized password_length password_changed_at password_reset passwordStrength cookie_consent
    secret_count key keyboard monkey primary_key public_key api_version pinned pin channel length author.name
    credential_type compass bypass passenger passport_country authenticated auth_method cardinal discard
    card_brand card_last4 max_tokens_limit keyword secretariat scvv cookbook
    """
)


def _repeated(piece: str) -> Callable[[int], str]:
    return lambda size: (piece * (size // len(piece) + 1))[:size]


#: Makes a text of a given size that invites more than linear work.
_REPEATED: Final[dict[str, Callable[[int], str]]] = {
    piece: _repeated(piece)
    for piece in (
        "a",
        "1",
        "-",
        "_",
        "=",
        '"',
        "'",
        "\\",
        "@",
        ":",
        " ",
        "\n",
        "://",
        "://a:",
        "://a:b",
        "://a:b/@",
        "eyJ",
        "-eyJ",
        ".eyJ",
        "eyJhbGciOiJIUzI1NiJ9.",
        "eyJhbGciOiJIUzI1NiJ9.a.",
        "-----BEGIN ",
        "-----BEGIN PRIVATE " + "KEY-----",
        "-----END PRIVATE " + "KEY-----",
        "-----BEGIN A PRIVATE " + "KEY-----\nAAAA\n-----END A PRIVATE " + "KEY-----\n",
        "1 ",
        "1-",
        "4111 ",
        "4111 1111 1111 1111 ",
        "4 1 1 1 1 1 1 1 1 1 1 1 1 x",
        "a@",
        "a.a@",
        "@a.",
        "password=",
        "password='",
        'password="',
        '"password":',
        "password=a ",
        "a=b=",
        "a.b-c_",
        "Bearer ",
        "Basic ",
        "Basic YWRhOm9w",
        "bearer" + " " * 64,
        "sk" + "-",
        "sk" + "-a1B-",
        "gh" + "p_",
        "gh" + "p_aaaaaaaaa-",
        "xo" + "xb-",
        "S" + "G.",
        "S" + "G.aaaaaaaaaaaaaaaaa-",
        "AK" + "IA",
        "DE89 3704 ",
        "DE89",
    )
}


def _ended(make: Callable[[int], str]) -> Callable[[int], str]:
    return lambda size: make(size - 1) + "@"


HOSTILE: Final = _REPEATED | {f"{name}, then @": _ended(make) for name, make in _REPEATED.items()}
