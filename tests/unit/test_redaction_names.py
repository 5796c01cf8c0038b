"""Which names are secret: the defaults, and the administrator's word over them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.redaction import Redaction
from exporter.redaction.redactor import Redactor

DEFAULT = Redactor(Redaction(), None)
SECRET = """
    password passwd pwd PASSWORD Password passWord user.password db_password dbPassword newPassword NEW_PASSWORD
    password_hash password1 password_confirmation passwords user[password] secret client_secret clientSecret
    Client-Secret clientsecret app.oauth.client_secret aws_secret_access_key SecretAccessKey token access_token
    refreshToken id_token sessionToken api_key apikey X-API-Key apiKey authorization
    http.request.header.authorization http.request.header.x-auth-token Proxy-Authorization cookie Set-Cookie
    http.response.header.set-cookie private_key privateKey ssh.privateKey signing_key encryptionKey session_key
    credentials credential otp totp mfa_code mfaCode recovery_codes pin userPin ssn card_number cardNumber cvv
    cvc password.value secret.data credentials.primary token.0 tokens connection.psk passphrase smtp_pass
"""
HARMLESS = """
    token_type tokenType token_id token.id password_changed_at passwordChangedAt password_count password_policy
    password_expires_at secret_name secretName secret.name secret_id authorization.k8s.io/decision
    authorization.k8s.io/reason authentication_method auth_method session.id session_id user.id user.name
    user.email client.address trace_id gen_ai.usage.input_tokens max_tokens next_token nextToken nextPageToken
    access_key_id accessKeyId credentials.expiration token.ttl token.scopes aws.secretsmanager.secret.arn
    secretKeyRef shipping.address spinner compass bypass secretary tokenizer public_key key order.id pinned
    passed httpTokens mfa_used cookie_consent_at
"""


@pytest.mark.parametrize(
    "name",
    SECRET.split(),
)
def test_a_name_of_a_secret_is_secret_however_it_is_written(name: str) -> None:
    assert DEFAULT.is_secret(name)


@pytest.mark.parametrize(
    "name",
    HARMLESS.split(),
)
def test_a_name_that_only_looks_like_one_is_not(name: str) -> None:
    assert not DEFAULT.is_secret(name)


def test_own_names_are_secret_with_all_that_is_below_them() -> None:
    own = Redactor(Redaction(keys=("applicant", "*_iban", "hr.salary", "internal/*")), None)
    for name in ("applicant", "form.applicant.name", "applicant.id", "payout_iban", "payoutIban", "x.hr.salary"):
        assert own.is_secret(name), name
    assert own.is_secret("internal/anything")
    for name in ("applicants", "iban", "salary", "payroll.salary"):
        assert not own.is_secret(name), name


def test_an_allowed_name_is_harmless_whatever_else_says_otherwise() -> None:
    own = Redactor(Redaction(keys=("*_ref",), allow=("client_token", "billing.*", "invoice_ref")), None)
    for name in ("client_token", "request.clientToken", "billing.password", "invoice_ref"):
        assert not own.is_secret(name), name
    assert own.is_secret("access_token")
    assert own.is_secret("order_ref")


def test_own_names_go_before_the_harmless_defaults() -> None:
    assert not DEFAULT.is_secret("employee_id")
    assert Redactor(Redaction(keys=("employee_id",)), None).is_secret("employee_id")


def test_without_default_keys_only_own_names_are_secret() -> None:
    own = Redactor(Redaction(default_keys=False, keys=("pet",)), None)
    assert own.is_secret("pet")
    assert not own.is_secret("password")


def test_nothing_is_secret_where_redaction_is_off() -> None:
    assert not Redactor(Redaction(enabled=False), None).is_secret("password")


@given(st.text(max_size=60))
def test_any_name_has_a_verdict(name: str) -> None:
    assert DEFAULT.is_secret(name) in (True, False)
    assert DEFAULT.is_secret(f"{name}.password")
