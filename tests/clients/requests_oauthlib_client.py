"""The OAuth 2.0 (3LO) example of atlassian-python-api's documentation, on requests-oauthlib. Nothing is rewritten."""

import json
import os

os.environ["OAUTHLIB_INSECURE_TRANSPORT"] = "1"  # the emulator is plain http on loopback

import requests
from atlassian import Jira
from requests_oauthlib import OAuth2Session

base = os.environ["BASE_URL"]
client_id, client_secret = os.environ["CLIENT_ID"], os.environ["CLIENT_SECRET"]

oauth = OAuth2Session(
    client_id,
    scope=["read:me", "read:jira-user", "offline_access"],
    redirect_uri=os.environ["CALLBACK"],
)
url, state = oauth.authorization_url(base + "authorize", audience="api.atlassian.com", prompt="consent")
callback = requests.get(url, allow_redirects=False).headers["Location"].replace("http://", "https://")
token = oauth.fetch_token(base + "oauth/token", authorization_response=callback, client_secret=client_secret)
renewed = oauth.refresh_token(base + "oauth/token", client_id=client_id, client_secret=client_secret)
assert renewed["refresh_token"] != token["refresh_token"], "the refresh token rotates"
me = oauth.get(base + "me").json()
sites = oauth.get(base + "oauth/token/accessible-resources").json()
assert {site["name"] for site in sites} == {"engines", "compilers"}, sites
jira = Jira(
    url=f"{base}ex/jira/{sites[0]['id']}",
    oauth2={"client_id": client_id, "token": {"access_token": renewed["access_token"], "token_type": "Bearer"}},
)
assert jira.myself()["accountId"] == me["account_id"]
print(json.dumps({"account_id": me["account_id"], "email": me["email"]}))
