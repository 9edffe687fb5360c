// https://www.better-auth.com/docs/authentication/atlassian, by its social provider
import { app, assert, consent } from "./rebase.mjs";
import { atlassian } from "better-auth/social-providers";

const provider = atlassian({ clientId: app.clientId, clientSecret: app.clientSecret, scope: ["read:me"] });
const codeVerifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const url = await provider.createAuthorizationURL({ state: "state-1", codeVerifier, redirectURI: app.callback });
const authorize = url.url ?? url;
assert(new URL(authorize).searchParams.has("code_challenge"), "it sends a challenge");
const callback = await consent(authorize);
const code = callback.searchParams.get("code");
const tokens = await provider.validateAuthorizationCode({ code, codeVerifier, redirectURI: app.callback });
assert(tokens.scopes.includes("read:jira-user") && tokens.refreshToken, "scopes and refresh token arrive");
const info = await provider.getUserInfo(tokens);
const refreshed = await provider.refreshAccessToken(tokens.refreshToken);
assert(refreshed.refreshToken !== tokens.refreshToken, "the refresh token rotates");
console.log(JSON.stringify({ account_id: info.data.account_id, email: info.user.email }));
