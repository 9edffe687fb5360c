// Sends fetch() for Atlassian's two hosts to the emulator: the base URLs are all that changes for a client.
const base = process.env.BASE_URL;
const original = globalThis.fetch;

export function rebase(url) {
  return String(url).replace(/^https:\/\/(auth|api)\.atlassian\.com\//, base);
}

globalThis.fetch = (input, init) =>
  input instanceof Request
    ? original(new Request(rebase(input.url), input), init)
    : original(rebase(input), init);

// What a browser does for a user who consents: follow the authorize URL and read the callback.
export async function consent(authorizeUrl) {
  const answer = await original(rebase(authorizeUrl), { redirect: "manual" });
  const callback = new URL(answer.headers.get("location"), base);
  if (!callback.searchParams.has("code")) throw new Error(`no code: ${callback}`);
  return callback;
}

export const app = {
  clientId: process.env.CLIENT_ID,
  clientSecret: process.env.CLIENT_SECRET,
  callback: process.env.CALLBACK,
};

export function assert(condition, what) {
  if (!condition) throw new Error(`not so: ${what}`);
}
