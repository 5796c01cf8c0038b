"""Secrets of every form that the defaults know. None of them opens anything."""

from __future__ import annotations

A = "aB3dE5gH7jK9mN1pQ3sT5vW7xY9zA2cD4fG6hJ8k"
HEX = "0123456789abcdef" * 4
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
PEM = "-----BEGIN RSA PRIVATE KEY-----\nMIIEowIBAAKCAQEA1c7+9z5Pad7OejecsQ0bu3aumA==\n-----END RSA PRIVATE KEY-----"

# Detector to what it finds; no secret of these has anything around it that gives it away.
TOKENS = {
    "aws": ["AKIAIOSFODNN7EXAMPLE", "ASIAIOSFODNN7EXAMPLE"],
    "github": [f"ghp_{A[:36]}", f"gho_{A[:36]}", f"ghs_{A[:36]}", f"github_pat_{A}_{A}"],
    "gitlab": [f"glpat-{A[:20]}", f"gldt-{A[:20]}", f"glrt-{A[:20]}", f"GR1348941{A[:20]}"],
    "slack": [f"xoxb-123456789012-{A[:24]}", f"xoxp-1-{A}", f"xapp-1-A1B2C3-{HEX[:20]}"],
    "google": [f"AIza{A[:35]}", f"ya29.{A}", f"GOCSPX-{A[:28]}", f"1//0{A}"],
    "stripe": [f"sk_live_{A[:24]}", f"rk_test_{A[:24]}", f"whsec_{A[:32]}"],
    "azure": [f"abc8Q~{A[:34]}"],
    "npm": [f"npm_{A[:36]}"],
    "pypi": [f"pypi-AgEIcHlwaS5vcmc{A}"],
    "jwt": [JWT, "eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0."],
    "vault": [f"hvs.{A[:24]}", f"hvb.{A}", f"s.{A[:24]}"],
    "sendgrid": [f"SG.{A[:22]}.{A}"],
    "ai": [f"sk-ant-api03-{A}-{A}AA", f"sk-proj-{A}", f"sk-{A}", f"hf_{A[:34]}"],
    "services": [f"dop_v1_{HEX}", f"shpat_{HEX[:32]}", f"dapi{HEX[:32]}", f"glsa_{A[:32]}_{HEX[:8]}"],
    "private_keys": [PEM, PEM.replace("RSA ", ""), PEM[:60]],
    "cards": ["4111111111111111", "4111 1111 1111 1111", "5500-0000-0000-0004", "378282246310005", "4222222222222"],
}  # fmt: skip
FOUND = [(name, secret) for name, secrets in TOKENS.items() for secret in secrets]

# Detector to (text, what of it is secret).
IN_CONTEXT = {
    "url_passwords": [
        ("postgresql://app:hunter2hunter@db:5432/x", "hunter2hunter"),
        ("tried redis://:hunter2@cache:6379/0 twice", "hunter2"),
        ("amqp://app:p@ss@mq", "p@ss"),
    ],
    "queries": [
        ("GET /cb?code=4/0AX4XfWh&state=x", "4/0AX4XfWh"),
        ("https://acc.blob.core.windows.net/c?sv=2020&sig=abc%2Fdef123%3D", "abc%2Fdef123%3D"),
        ("https://s3.example/x?X-Amz-Signature=0123abcd4567", "0123abcd4567"),
    ],
    "headers": [
        ("got Bearer abc.def-123_456 from it", "abc.def-123_456"),
        ("sent basic dXNlcjpodW50ZXIy", "dXNlcjpodW50ZXIy"),
        ("Cookie: sid=31d4d96e407aad42; theme=dark", "31d4d96e407aad42"),
        ("set-cookie: sid=31d4d96e407aad42; Path=/; HttpOnly", "31d4d96e407aad42"),
    ],
    "sql_passwords": [
        ("ALTER ROLE bob WITH PASSWORD 'hunter2'", "hunter2"),
        ("CREATE USER 'bob'@'%' IDENTIFIED BY 'it''s hunter2'", "it''s hunter2"),
    ],
    "options": [("mysqldump --password hunter2 --user bob db", "hunter2"), ('x --api-key "a b c" y', "a b c")],
    "assignments": [
        ("password=hunter2 user=bob", "hunter2"),
        ("DB_PASSWORD: hunter2", "hunter2"),
        ("login failed {'user': 'bob', 'password': 'hunter2 x'}", "hunter2 x"),
        ('level=info token="ab \\" c" user=bob', 'ab \\" c'),
        ('body {\\"client_secret\\": \\"hunter2\\", \\"a\\": 1}', "hunter2"),
        ("/cb#access_token=hunter2&a=b", "hunter2"),
        ("to=https%3A%2F%2Fx%2F%3Ftoken%3Dhunter2%26a", "hunter2"),
        ("user[password]=hunter2&user[name]=bob", "hunter2"),
        ("headers: Authorization: Token hunter2hunter2", "hunter2hunter2"),
        ("url=https://h/p?client_secret=hunter2&a=b", "hunter2"),
        ("userPin => 1234", "1234"),
    ],
    "xml": [
        ("<u><name>bob</name><password>hunter2</password></u>", "hunter2"),
        ('<wsse:Password Type="text">hunter2</wsse:Password>', "hunter2"),
    ],
    "azure": [
        ("Endpoint=x;SharedAccessSignature=YWJjZGVmZ2hpamtsbW5vcHFyc3Q=;Suffix=y", "YWJjZGVmZ2hpamtsbW5vcHFyc3Q=")
    ],
    "slack": [("https://hooks.slack.com/services/T0000/B0000/XXXXXXXX", "T0000/B0000/XXXXXXXX")],
}
CONTEXTS = [(name, text, secret) for name, found in IN_CONTEXT.items() for text, secret in found]
