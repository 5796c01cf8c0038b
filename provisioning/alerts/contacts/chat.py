"""Chats and messengers. Addresses of theirs hold a token and are secrets, whatever Grafana calls them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, StrictBool, WithJsonSchema

from exporter.mapping.section import Problem
from provisioning.alerts.contacts.settings import HTML, MARKDOWN, SLACK, TEXT, TITLE, Settings, apart
from provisioning.alerts.contacts.values import VARIABLE, Address, Secret, Text, Texts


class Slack(Settings):
    """Slack, by a webhook's address or by a token; Mattermost understands it, too."""

    url: Secret | None = None
    token: Secret | None = None
    recipient: Text | None = None
    username: Text | None = None
    icon_emoji: Text | None = None
    icon_url: Text | None = None
    mentionUsers: Texts | None = None
    mentionGroups: Texts | None = None
    mentionChannel: Literal["here", "channel"] | None = None
    endpointUrl: Address | None = None
    color: Text | None = None
    footer: Text | None = None
    title: Text = TITLE
    text: Text = SLACK

    @classmethod
    def conflicts(cls, data: Mapping[str, Any]) -> Iterator[Problem]:
        if "url" not in data and "token" not in data:
            yield (), "needs url (of an incoming webhook), or token and recipient"
        if "token" in data and "recipient" not in data:
            yield ("recipient",), "is needed with token; name a channel"
        yield from apart(data, "url", "token")


class Teams(Settings):
    """Microsoft Teams, by a webhook's address."""

    url: Secret
    sectiontitle: Text | None = None
    title: Text = TITLE
    message: Text = MARKDOWN


class Discord(Settings):
    """Discord, by a webhook's address."""

    url: Secret
    avatar_url: Address | None = None
    use_discord_username: StrictBool | None = None
    use_embed_description: StrictBool | None = None
    title: Text = TITLE
    message: Text = MARKDOWN


class Telegram(Settings):
    """Telegram, by a bot. Our message is plain text: what Telegram can't parse it does not deliver."""

    bottoken: Secret
    chatid: Text
    message_thread_id: Text | None = None
    parse_mode: Literal["None", "HTML", "Markdown", "MarkdownV2"] = "None"
    disable_notifications: StrictBool | None = None
    disable_web_page_preview: StrictBool | None = None
    protect_content: StrictBool | None = None
    message: Text = TEXT

    @classmethod
    def conflicts(cls, data: Mapping[str, Any]) -> Iterator[Problem]:
        if "message" not in data and data.get("parse_mode", "None") != "None":
            yield ("parse_mode",), "is for a message of your own; write message, too, or remove this line"
        chat = data.get("chatid")
        if isinstance(chat, str) and not re.fullmatch(rf"-?\d+|@\w+|{VARIABLE.pattern}", chat):
            yield ("chatid",), f"{chat!r} is no chat; write its number or @channel, in quotes"


class GoogleChat(Settings):
    """Google Chat, by a webhook's address."""

    url: Secret
    hide_open_button: StrictBool | None = None
    hide_version_info: StrictBool | None = None
    title: Text = TITLE
    message: Text = HTML


class Webex(Settings):
    """Cisco Webex, by a bot."""

    bot_token: Secret
    room_id: Text
    api_url: Address | None = None
    message: Text = MARKDOWN


class DingDing(Settings):
    """DingTalk, by a robot's address."""

    url: Secret
    msgType: Literal["link", "actionCard"] | None = None
    title: Text = TITLE
    message: Text = TEXT


class WeCom(Settings):
    """WeCom, by a group robot's address or as an app."""

    url: Secret | None = None
    secret: Secret | None = None
    agent_id: Text | None = None
    corp_id: Text | None = None
    endpointUrl: Address | None = None
    msgtype: Literal["text", "markdown"] | None = None
    touser: Text | None = None
    title: Text = TITLE
    message: Text = TEXT

    @classmethod
    def conflicts(cls, data: Mapping[str, Any]) -> Iterator[Problem]:
        if "url" not in data and "secret" not in data:
            yield (), "needs url (of a group robot), or secret, agent_id and corp_id (of an app)"
        yield from apart(data, "url", "secret")
        if "secret" in data:
            yield from (((key,), "is needed with secret") for key in ("agent_id", "corp_id") if key not in data)


class Line(Settings):
    """LINE Notify."""

    token: Secret
    title: Text = TITLE
    description: Text = TEXT


def _threema(pattern: str, says: str) -> tuple[BeforeValidator, WithJsonSchema]:
    def check(value: object) -> object:
        if isinstance(value, str) and (re.fullmatch(pattern, value) or VARIABLE.fullmatch(value)):
            return value
        raise ValueError(f"{value!r}: {says}")

    return BeforeValidator(check), WithJsonSchema({"type": "string", "pattern": f"^({pattern}|{VARIABLE.pattern})$"})


class Threema(Settings):
    """Threema Gateway, with a basic ID."""

    gateway_id: Annotated[str, *_threema(r"\*[0-9A-Z]{7}", "must be * and 7 capital letters or digits")]
    recipient_id: Annotated[str, *_threema(r"[0-9A-Z]{8}", "must be 8 capital letters or digits")]
    api_secret: Secret
    title: Text = TITLE
    description: Text = TEXT
