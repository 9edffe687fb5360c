// https://arcticjs.dev/providers/atlassian
import { app, assert, consent } from "./rebase.mjs";
import { Atlassian, ArcticFetchError, OAuth2RequestError, generateState } from "arctic";

const atlassian = new Atlassian(app.clientId, app.clientSecret, app.callback);
const state = generateState();
const callback = await consent(atlassian.createAuthorizationURL(state, ["read:me", "offline_access"]));
assert(callback.searchParams.get("state") === state, "state comes back");
const tokens = await atlassian.validateAuthorizationCode(callback.searchParams.get("code"));
assert(tokens.accessToken().length > 2500, "a token of realistic size");
assert(tokens.accessTokenExpiresAt() > new Date(), "it has an expiry");
const refreshed = await atlassian.refreshAccessToken(tokens.refreshToken());
assert(refreshed.refreshToken() !== tokens.refreshToken(), "the refresh token rotates");
const me = await fetch("https://api.atlassian.com/me", {
  headers: { Authorization: `Bearer ${refreshed.accessToken()}`, Accept: "application/json" },
});
const refusal = await atlassian.validateAuthorizationCode(callback.searchParams.get("code")).catch((error) => error);
assert(refusal instanceof OAuth2RequestError || refusal instanceof ArcticFetchError || refusal instanceof Error, "a used code is refused");
console.log(JSON.stringify({ account_id: (await me.json()).account_id, refusal: refusal.constructor.name, code: refusal.code ?? null }));
