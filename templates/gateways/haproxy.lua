-- Asks Anteroom whether a request may pass, and who is there. For HAProxy 2.6 and later, built with Lua.
--
-- Save it as /etc/haproxy/anteroom.lua; the configuration that goes with it: anteroom config haproxy
--
-- Sets txn.anteroom_status (200 pass, 302 or 303 sign in, 401, 403; anything else, or nothing, is no answer),
-- txn.anteroom_location and txn.anteroom_body. If anything fails here, nothing is set, and the configuration answers 503.

local ANTEROOM = "http://{{ url }}/_anteroom/verify/forward"
local DESTINATION = {% if let Some(socket) = socket %}"unix@{{ socket }}"{% else %}nil{% endif %}
local TIMEOUT = 2500 -- milliseconds; HAProxy tries four times
{%- if site.key %}
local KEY = os.getenv("ANTEROOM_FORWARD_AUTH__KEY") or error("ANTEROOM_FORWARD_AUTH__KEY is not set: it holds the key of forward_auth.key")
{%- endif %}

-- The hosts that people type, as host = { scheme, host and port }.
local HOSTS = {
{%- for host in site.hosts %}
    ["{{ host.host }}"] = { "{{ host.scheme() }}", "{{ host.authority }}" },
{%- endfor %}
}

-- What tells who is there: always set, and never taken from a client.
local IDENTITY = {
{%- for name in headers %}
    "{{ name }}",
{%- endfor %}
}

-- Names that other proxies use for the same, or that tell of the address or the method: never from a client.
local RESERVED = {
{%- for name in reserved %}
    "{{ name }}",
{%- endfor %}
}

-- What Anteroom needs to know of a request besides its address.
local PASSED_ON = { "accept", "cookie", "user-agent", "sec-fetch-mode", "sec-fetch-dest", "sec-fetch-site", "sec-fetch-user",
    "sec-purpose", "purpose", "x-requested-with", "content-type", "upgrade", "origin", "accept-language", "x-request-id",
    "authorization" }

-- CGI, WSGI and PHP read whatever is no letter or digit as one.
local function dashed(name)
    return (string.gsub(string.lower(name), "[^a-z0-9]", "-"))
end

local taken = {}
for _, list in ipairs({ IDENTITY, RESERVED }) do
    for _, name in ipairs(list) do
        taken[dashed(name)] = true
    end
end

-- The app's cookies: a line without Anteroom's.
local function without_ours(line)
    local kept = {}
    for cookie in string.gmatch(line .. ";", "([^;]*);") do
        local name = string.match(cookie, "^%s*([^=]*)=") or ""
        name = string.gsub(string.gsub(name, "^__Host%-", ""), "^__Secure%-", "")
        if not (name == "anteroom" or name == "anteroom-loop" or string.find(name, "^anteroom%-flow%-")) then
            kept[#kept + 1] = cookie
        end
    end
    return (string.gsub(table.concat(kept, ";"), "^%s+", ""))
end

local function lines(headers, name)
    local found = {}
    local values = headers[name]
    if values then
        for index = 0, #values do
            found[#found + 1] = values[index]
        end
    end
    return found
end

local function header(res, name)
    local values = res.headers and res.headers[string.lower(name)]
    return values and values[0]
end

core.register_action("anteroom", { "http-req" }, function(txn)
    local headers = txn.http:req_get_headers()

    -- Nothing that a client says of itself, and none of Anteroom's cookies, goes any further than this.
    for name in pairs(headers) do
        local plain = dashed(name)
        if taken[plain] or string.find(plain, "^x%-anteroom%-") then
            txn.http:req_del_header(name)
        end
    end
    local cookies = lines(headers, "cookie")
    txn.http:req_del_header("cookie")
    for _, line in ipairs(cookies) do
        local rest = without_ours(line)
        if rest ~= "" then
            txn.http:req_add_header("cookie", rest)
        end
    end

    local host = HOSTS[txn:get_var("txn.anteroom_host")]
    local question = {
        ["host"] = { host[2] },
        ["x-forwarded-method"] = { txn.f:method() },
        ["x-forwarded-proto"] = { host[1] },
        ["x-forwarded-host"] = { host[2] },
        ["x-forwarded-uri"] = { txn:get_var("txn.anteroom_uri") },
        ["x-forwarded-for"] = { txn.f:src() },
{%- if site.key %}
        ["x-anteroom-gateway-key"] = { KEY },
{%- endif %}
    }
    for _, name in ipairs(PASSED_ON) do
        local values = lines(headers, name)
        if #values > 0 then
            question[name] = values
        end
    end

    local res = core.httpclient():get({ url = ANTEROOM, dst = DESTINATION, headers = question, timeout = TIMEOUT })
    local status = res and res.status
    -- Anteroom's yes names somebody, or nobody ("-"); a 200 that names neither is another server's.
    if status == 200 and not header(res, "X-Anteroom-Assertion") then
        return
    end
    if status == 200 then
        for _, name in ipairs(IDENTITY) do
            txn.http:req_set_header(name, header(res, name) or "-")
        end
    elseif status == 302 or status == 303 then
        txn:set_var("txn.anteroom_location", header(res, "location"))
        txn:set_var("txn.anteroom_set_cookie", header(res, "set-cookie") or "")
    elseif status == 401 then
        txn:set_var("txn.anteroom_body", res.body or "")
        txn:set_var("txn.anteroom_challenge", header(res, "www-authenticate") or "Anteroom")
    end
    -- Last: whatever failed before this leaves no status, and no status is no pass.
    txn:set_var("txn.anteroom_status", status)
end, 0)
