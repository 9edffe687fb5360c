"""The Atlassian backend of python-social-auth (Django and others). Only its two hosts are rewritten."""

import json
import os
import re

import requests

base = os.environ["BASE_URL"]
original = requests.Session.request


def rebased(self, method, url, **kwargs):
    return original(self, method, re.sub(r"^https://(auth|api)\.atlassian\.com/", base, url), **kwargs)


requests.Session.request = rebased

from social_core.backends.atlassian import AtlassianOAuth2
from social_core.strategy import BaseStrategy


class Nonces:
    """Remembers which were used."""

    seen = set()

    @classmethod
    def use(cls, *nonce):
        fresh = nonce not in cls.seen
        cls.seen.add(nonce)
        return fresh


class Storage:
    nonce = Nonces


class Strategy(BaseStrategy):
    """As much of a web framework as the backend asks for."""

    def __init__(self):
        super().__init__(Storage)
        self.session, self.data = {}, {}

    def get_setting(self, name):
        return {
            "SOCIAL_AUTH_ATLASSIAN_KEY": os.environ["CLIENT_ID"],
            "SOCIAL_AUTH_ATLASSIAN_SECRET": os.environ["CLIENT_SECRET"],
        }[name]

    def request_data(self, merge=True):
        return self.data

    def build_absolute_uri(self, path=None):
        return path

    def session_get(self, name, default=None):
        return self.session.get(name, default)

    def session_set(self, name, value):
        self.session[name] = value

    def session_pop(self, name):
        return self.session.pop(name, None)

    def authenticate(self, backend, *args, **kwargs):
        return kwargs["response"]


strategy = Strategy()
backend = AtlassianOAuth2(strategy, redirect_uri=os.environ["CALLBACK"])
answer = requests.get(backend.auth_url(), allow_redirects=False)
query = requests.compat.urlsplit(answer.headers["Location"]).query
strategy.data = backend.data = dict(pair.split("=", 1) for pair in query.split("&"))
strategy.data["state"] = requests.compat.unquote(strategy.data["state"])
user = backend.auth_complete()
details = backend.get_user_details(user)
print(json.dumps({"account_id": details["username"], "email": details["email"]}))
