// https://www.npmjs.com/package/passport-atlassian-oauth2: its URLs are options, so nothing is rewritten.
import { app, assert, consent } from "./rebase.mjs";
import passport from "passport";
import AtlassianStrategy from "passport-atlassian-oauth2";

const base = process.env.BASE_URL;
const strategy = new AtlassianStrategy(
  {
    clientID: app.clientId,
    clientSecret: app.clientSecret,
    callbackURL: app.callback,
    scope: "offline_access read:jira-user",
    authorizationURL: `${base}authorize`,
    tokenURL: `${base}oauth/token`,
    profileURL: `${base}me`,
    accessibleResourcesURL: `${base}oauth/token/accessible-resources`,
  },
  (accessToken, refreshToken, profile, done) => done(null, { profile, refreshToken }),
);
passport.use(strategy);

// One request through passport's own middleware; ends with a redirect or a user.
const request = (url) =>
  new Promise((resolve, reject) => {
    const req = { url, query: Object.fromEntries(new URL(url, "http://x").searchParams), headers: {}, session: {} };
    const res = { setHeader: (name, value) => name === "Location" && resolve(value), end() {}, statusCode: 0 };
    const middleware = passport.authenticate("atlassian", { session: false, state: "s" }, (error, user) =>
      error ? reject(error) : resolve(user),
    );
    middleware(req, res, reject);
  });

const callback = await consent(await request("/auth/atlassian"));
const user = await request(callback.href);
assert(user.refreshToken, "a refresh token arrives");
assert(user.profile.accessibleResources.length === 2, "both sites are listed");
console.log(JSON.stringify({ account_id: user.profile.id, email: user.profile.email, name: user.profile.displayName }));
