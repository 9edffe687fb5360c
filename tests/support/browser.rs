//! What do people see and what can they do? A real Chromium, driven through WebDriver.
//!
//! Each [`Browser`] is one person's machine: a chromedriver, a profile and a window of its own, gone when dropped.
//! Every wait polls its condition until [`DEADLINE`]; there is no fixed sleep.

use std::future::Future;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response};
use serde_json::{Value, json};
use tempfile::TempDir;
use thirtyfour::common::command::FormatRequestData;
use thirtyfour::error::{WebDriverError, WebDriverResult};
use thirtyfour::session::http::{Body, HttpClient};
use thirtyfour::{
    BrowserCapabilitiesHelper, By, ChromeCapabilities, ChromiumLikeCapabilities, Cookie, Key, RequestData,
    SessionId, WebDriver, WebElement,
};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::Instant;

use super::axe::{self, Violation};
use super::process::Process;
use super::raw::RawClient;
use super::{DEADLINE, repository};

/// What installs a missing browser.
const REMEDY: &str = "sudo apt-get install -y chromium chromium-driver";

/// Chromium wants a core for itself: more at once only make each other miss their deadlines.
static AT_ONCE: Semaphore = Semaphore::const_new(2);

/// The machine that the person has.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    width: u32,
    height: u32,
    dark: bool,
    language: String,
    script: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { width: 1280, height: 800, dark: false, language: "en".into(), script: true }
    }
}

impl Options {
    /// The viewport in CSS pixels, 1280 × 800 unless said. Below 600 it behaves as a phone does.
    #[must_use]
    pub(crate) fn size(mut self, width: u32, height: u32) -> Self {
        (self.width, self.height) = (width, height);
        self
    }

    /// `prefers-color-scheme: dark`.
    #[must_use]
    pub(crate) fn dark(mut self) -> Self {
        self.dark = true;
        self
    }

    /// What `Accept-Language` lists, `ar,en` for one; `en` unless said.
    #[must_use]
    pub(crate) fn language(mut self, list: &str) -> Self {
        list.clone_into(&mut self.language);
        self
    }

    /// Pages may not run scripts of their own.
    #[must_use]
    pub(crate) fn without_script(mut self) -> Self {
        self.script = false;
        self
    }

    fn capabilities(&self, profile: &TempDir) -> ChromeCapabilities {
        let mut chrome = ChromeCapabilities::new();
        let first = self.language.split([',', ';']).next().unwrap_or("en");
        let profile = profile.path().display();
        for argument in [
            "--headless=new".into(),
            "--no-sandbox".into(),
            "--disable-gpu".into(),
            "--disable-dev-shm-usage".into(),
            "--no-first-run".into(),
            "--hide-scrollbars".into(),
            format!("--user-data-dir={profile}"),
            format!("--lang={first}"),
            format!("--window-size={},{}", self.width.max(500), self.height),
        ] {
            chrome.add_arg(&argument).expect("an argument");
        }
        let mut preferences = json!({ "intl.accept_languages": self.language });
        if !self.script {
            preferences["profile.managed_default_content_settings.javascript"] = json!(2);
        }
        chrome.add_experimental_option("prefs", preferences).expect("preferences");
        // A window cannot be narrower than 500 px; an emulated screen can, and stays for every tab.
        let phone = self.width < 600;
        let screen = json!({ "width": self.width, "height": self.height, "pixelRatio": 1, "mobile": phone, "touch": phone });
        chrome.set_browser_option("mobileEmulation", json!({ "deviceMetrics": screen })).expect("a screen");
        chrome
    }
}

/// One person's browser.
#[derive(Debug)]
pub(crate) struct Browser {
    // In the order they must go: the session closes Chromium, then its driver, then the profile they wrote to.
    driver: WebDriver,
    options: Options,
    _chromedriver: Process,
    _profile: TempDir,
    _turn: SemaphorePermit<'static>,
}

impl Browser {
    /// Starts one.
    pub(crate) async fn start(options: Options) -> Self {
        let turn = AT_ONCE.acquire().await.expect("never closed");
        let profile = TempDir::new().expect("a folder");
        let mut command = Command::new("chromedriver");
        command.arg("--port=0");
        let chromedriver = Process::start("chromedriver", command, REMEDY);
        let port: u16 = chromedriver
            .wait_for_line(|line| {
                line.split_once("started successfully on port ")?.1.trim_end_matches('.').parse().ok()
            })
            .await;
        let session = WebDriver::builder(format!("http://127.0.0.1:{port}"), options.capabilities(&profile))
            .client(Loopback { port })
            .connect()
            .await;
        let driver = session.unwrap_or_else(|error| match error.to_string() {
            said if said.contains("cannot find") => {
                panic!("Chromium is not installed. To install it: {REMEDY}")
            }
            said => panic!("Chromium does not start: {said}\n{}", chromedriver.output()),
        });
        let browser = Self { driver, options, _chromedriver: chromedriver, _profile: profile, _turn: turn };
        browser.prepare_tab().await;
        browser
    }

    /// What DevTools emulates belongs to a tab, so each new one is told again.
    async fn prepare_tab(&self) {
        let scheme = if self.options.dark { "dark" } else { "light" };
        let features = json!([{ "name": "prefers-color-scheme", "value": scheme }]);
        self.devtools("Emulation.setEmulatedMedia", json!({ "features": features })).await;
    }

    /// thirtyfour's own handle, for what is not wrapped here.
    pub(crate) fn driver(&self) -> &WebDriver {
        &self.driver
    }

    /// Opens the address and waits until it has loaded.
    pub(crate) async fn goto(&self, url: &str) {
        self.driver.goto(url).await.unwrap_or_else(|error| panic!("goto {url}: {error}"));
    }

    /// The address shown.
    pub(crate) async fn url(&self) -> String {
        self.driver.current_url().await.expect("an address").to_string()
    }

    /// The page's title.
    pub(crate) async fn title(&self) -> String {
        self.driver.title().await.expect("a title")
    }

    /// The text a person can read, as laid out.
    pub(crate) async fn text(&self) -> String {
        self.try_text().await.expect("the page's text")
    }

    async fn try_text(&self) -> WebDriverResult<String> {
        let script = "return document.body ? document.body.innerText : ''";
        self.driver.execute(script, vec![]).await?.convert()
    }

    /// Waits until that text can be read.
    pub(crate) async fn wait_for_text(&self, wanted: &str) {
        self.poll(&format!("the text {wanted:?}"), || async {
            self.try_text().await.ok().filter(|text| text.contains(wanted)).map(drop)
        })
        .await;
    }

    /// Waits until the address shown contains that.
    pub(crate) async fn wait_for_url(&self, wanted: &str) {
        self.poll(&format!("an address with {wanted:?}"), || async {
            let url = self.driver.current_url().await.ok()?;
            url.as_str().contains(wanted).then_some(())
        })
        .await;
    }

    /// Clicks the link, button or label that shows this text (a part of it is enough), as soon as there is one.
    pub(crate) async fn click_text(&self, text: &str) {
        assert!(!text.contains('"'), "XPath 1.0 has no escape for quotes");
        let xpath = format!(
            "//*[self::a or self::button or self::summary or self::label or @role='button'][contains(normalize-space(.), \"{text}\")] \
             | //input[(@type='submit' or @type='button') and contains(@value, \"{text}\")]"
        );
        self.click(By::XPath(xpath), &format!("{text:?} to click")).await;
    }

    /// Clicks the first element of this CSS selector that can be clicked, as soon as there is one.
    pub(crate) async fn click_css(&self, selector: &str) {
        self.click(By::Css(selector), &format!("{selector} to click")).await;
    }

    async fn click(&self, by: By, what: &str) {
        self.poll(what, || async {
            for element in self.driver.find_all(by.clone()).await.ok()? {
                // A page that is just being replaced makes it stale: look again.
                if element.is_displayed().await.unwrap_or(false) && element.click().await.is_ok() {
                    return Some(());
                }
            }
            None
        })
        .await;
    }

    /// Types into the first field of this CSS selector, replacing what is there.
    pub(crate) async fn fill(&self, selector: &str, text: &str) {
        let field = self.find(selector).await;
        field.clear().await.expect("a field");
        field.send_keys(text).await.expect("a field");
    }

    /// The first element of this CSS selector, as soon as there is one.
    pub(crate) async fn find(&self, selector: &str) -> WebElement {
        self.poll(selector, || async { self.driver.find(By::Css(selector)).await.ok() }).await
    }

    /// Presses the key, Tab or Enter for one, on whatever has the focus.
    pub(crate) async fn press(&self, key: Key) {
        self.driver.action_chain().send_keys(key).perform().await.expect("a key");
    }

    /// The text, or else the value or label, of what has the focus.
    pub(crate) async fn focused(&self) -> String {
        self.evaluate(
            "const e = document.activeElement;
             return e.innerText || e.value || e.getAttribute('aria-label') || e.tagName",
        )
        .await
    }

    /// The browser's back button.
    pub(crate) async fn back(&self) {
        self.driver.back().await.expect("back");
    }

    /// The browser's reload button.
    pub(crate) async fn reload(&self) {
        self.driver.refresh().await.expect("reload");
    }

    /// Opens another tab and goes there; gives its handle for [`Self::switch_to`].
    pub(crate) async fn new_tab(&self) -> thirtyfour::WindowHandle {
        let handle = self.driver.new_tab().await.expect("a tab");
        self.switch_to(&handle).await;
        self.prepare_tab().await;
        handle
    }

    /// The tab shown now.
    pub(crate) async fn tab(&self) -> thirtyfour::WindowHandle {
        self.driver.window().await.expect("a tab")
    }

    /// Shows that tab.
    pub(crate) async fn switch_to(&self, tab: &thirtyfour::WindowHandle) {
        self.driver.switch_to_window(tab.clone()).await.expect("that tab");
    }

    /// The cookies this page's site has, `HttpOnly` ones too.
    pub(crate) async fn cookies(&self) -> Vec<Cookie> {
        self.driver.get_all_cookies().await.expect("cookies")
    }

    /// Forgets every cookie of every site.
    pub(crate) async fn clear_cookies(&self) {
        self.devtools("Network.clearBrowserCookies", json!({})).await;
    }

    /// Runs the body of a function in the page and gives what it returns. The page's policy does not stop it.
    pub(crate) async fn evaluate<T: serde::de::DeserializeOwned>(&self, script: &str) -> T {
        let value = self.driver.execute(script, vec![]).await;
        value.and_then(|value| value.convert()).unwrap_or_else(|error| panic!("{script}: {error}"))
    }

    /// As [`Self::evaluate`], for a script that ends by calling its last argument.
    pub(crate) async fn evaluate_async<T: serde::de::DeserializeOwned>(&self, script: &str) -> T {
        let value = self.driver.execute_async(script, vec![]).await;
        value.and_then(|value| value.convert()).unwrap_or_else(|error| panic!("{script}: {error}"))
    }

    /// The width in CSS pixels that the page is laid out in.
    pub(crate) async fn width(&self) -> u32 {
        self.evaluate("return window.innerWidth").await
    }

    /// Whether a person would have to scroll sideways: WCAG 2.2, 1.4.10.
    pub(crate) async fn scrolls_sideways(&self) -> bool {
        self.evaluate("const e = document.documentElement; return e.scrollWidth > e.clientWidth").await
    }

    /// Saves the whole page, below the fold too, as `tests/screenshots/<name>.png`.
    pub(crate) async fn screenshot(&self, name: &str) {
        let parameters = json!({ "format": "png", "captureBeyondViewport": true });
        let image = self.devtools("Page.captureScreenshot", parameters).await;
        let image = image["data"].as_str().expect("an image");
        let bytes = base64::Engine::decode(&base64::prelude::BASE64_STANDARD, image).expect("base64");
        let folder = repository("tests/screenshots");
        std::fs::create_dir_all(&folder).expect("a folder");
        std::fs::write(folder.join(format!("{name}.png")), bytes).expect("a file");
    }

    /// Every accessibility rule this page breaks.
    pub(crate) async fn violations(&self) -> Vec<Violation> {
        let source = tokio::task::spawn_blocking(axe::source).await.expect("axe-core");
        self.driver.execute(source, vec![]).await.expect("axe-core to load");
        let result: Value = self.evaluate_async(axe::RUN).await;
        assert!(result["error"].is_null(), "axe-core: {result}");
        serde_json::from_value(result["ok"].clone()).expect("violations")
    }

    /// Calls a command of the Chrome DevTools Protocol on this tab.
    pub(crate) async fn devtools(&self, command: &'static str, parameters: Value) -> Value {
        let answer = self.driver.handle().cmd(DevTools { command, parameters }).await;
        answer.and_then(|answer| answer.value_json()).unwrap_or_else(|error| panic!("{command}: {error}"))
    }

    /// Closes it and waits until it is gone. Dropping does the same, but blocks the runtime meanwhile.
    pub(crate) async fn close(self) {
        self.driver.quit().await.expect("to quit");
    }

    /// Asks again until there is an answer; at the deadline the test fails with what the page shows.
    async fn poll<T, F: Future<Output = Option<T>>>(&self, what: &str, ask: impl Fn() -> F) -> T {
        let deadline = Instant::now() + DEADLINE;
        loop {
            if let Some(found) = ask().await {
                return found;
            }
            if Instant::now() > deadline {
                let (url, text) = (self.url().await, self.try_text().await.unwrap_or_default());
                panic!("no {what} until the deadline. {url} shows:\n{text}");
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
    }
}

/// A command of the Chrome DevTools Protocol as chromedriver takes it.
#[derive(Debug)]
struct DevTools {
    command: &'static str,
    parameters: Value,
}

impl FormatRequestData for DevTools {
    fn format_request(&self, session: &SessionId) -> RequestData {
        let body = json!({ "cmd": self.command, "params": self.parameters });
        RequestData::new(Method::POST, format!("session/{session}/goog/cdp/execute")).add_body(body)
    }
}

/// How WebDriver commands reach chromedriver: a loopback connection each. No TLS, no pool, no client library.
#[derive(Clone, Copy, Debug)]
struct Loopback {
    port: u16,
}

#[async_trait::async_trait]
impl HttpClient for Loopback {
    async fn send(&self, request: Request<Body<'_>>) -> WebDriverResult<Response<Bytes>> {
        let body = match request.body() {
            Body::Empty => String::new(),
            Body::Json(value) => value.to_string(),
        };
        let head = format!(
            "{} {} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            request.method(),
            request.uri().path(),
            self.port,
            body.len(),
        );
        let mut client = RawClient::connect(([127, 0, 0, 1], self.port).into()).await;
        client.send(format!("{head}{body}")).await;
        let failed = |error: &dyn std::fmt::Display| WebDriverError::RequestFailed(error.to_string());
        let answer = client.try_response(request.method().as_str()).await.map_err(|e| failed(&e))?;
        Response::builder().status(answer.status).body(answer.body.into()).map_err(|e| failed(&e))
    }

    async fn new(&self) -> Arc<dyn HttpClient> {
        Arc::new(*self)
    }
}

mod tests {
    use super::super::upstream::{Answer, Request, Upstream};
    use super::*;

    /// A page with our strictest policy: nothing may run, nothing may load.
    fn page(request: &Request) -> Answer {
        let body = match request.target() {
            "/" => {
                "<!doctype html><html lang=en><title>First</title><meta name=viewport content='width=device-width'><style>@media (prefers-color-scheme: dark) \
                 { body { color-scheme: dark } p::after { content: 'night' } }</style><main><h1>One</h1><p>text</p>\
                 <p hidden>unseen</p><a href='/second'>Go <b>on</b></a></main>"
            }
            "/second" => {
                "<!doctype html><html lang=en><title>Second</title><main><h1>Two</h1><img src=''></main>"
            }
            _ => "",
        };
        Answer::raw(format!(
            "HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nSet-Cookie: seen=1; HttpOnly\r\n\
             Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        ))
    }

    #[tokio::test]
    async fn it_reads_clicks_goes_back_and_keeps_tabs_apart() {
        let site = Upstream::with(page).await;
        let browser = Browser::start(Options::default().language("ar,en")).await;
        browser.goto(&site.url()).await;
        assert_eq!(browser.title().await, "First");
        assert!(browser.text().await.contains("text") && !browser.text().await.contains("unseen"));
        assert_eq!(browser.width().await, 1280);
        let languages =
            site.wait_for_request(1).await.header("accept-language").unwrap_or_default().to_owned();
        assert!(languages.starts_with("ar,en"), "{languages}");

        browser.press(Key::Tab).await;
        assert_eq!(browser.focused().await, "Go on");
        browser.click_text("Go on").await;
        browser.wait_for_text("Two").await;
        browser.wait_for_url("/second").await;
        assert_eq!(browser.cookies().await[0].name, "seen");
        browser.back().await;
        browser.wait_for_text("One").await;

        let first = browser.tab().await;
        browser.new_tab().await;
        browser.goto(&format!("{}/second", site.url())).await;
        browser.switch_to(&first).await;
        assert_eq!(browser.title().await, "First");
        browser.clear_cookies().await;
        assert!(browser.cookies().await.is_empty());
        browser.close().await;
    }

    #[tokio::test]
    async fn a_narrow_dark_screen_is_real_and_axe_sees_a_missing_alternative() {
        let site = Upstream::with(page).await;
        let browser = Browser::start(Options::default().size(320, 640).dark()).await;
        browser.goto(&site.url()).await;
        assert_eq!(browser.width().await, 320);
        assert!(!browser.scrolls_sideways().await);
        assert!(browser.evaluate::<bool>("return matchMedia('(prefers-color-scheme: dark)').matches").await);
        browser.screenshot("harness-dark-320").await;
        assert!(repository("tests/screenshots/harness-dark-320.png").exists());
        browser.new_tab().await;
        browser.goto(&format!("{}/second", site.url())).await;
        assert!(browser.evaluate::<bool>("return matchMedia('(prefers-color-scheme: dark)').matches").await);
        let rules: Vec<String> = browser.violations().await.into_iter().map(|v| v.id).collect();
        assert!(rules.contains(&"image-alt".to_owned()), "{rules:?}");
        browser.close().await;
    }

    #[tokio::test]
    async fn a_page_too_wide_scrolls_and_scripts_can_be_off() {
        let body = "<!doctype html><title>no</title><meta name=viewport content='width=device-width'>\
                    <script>document.title = 'yes'</script><div style='width: 600px'>wide</div>";
        let site = Upstream::answering(Answer::raw(format!(
            "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )))
        .await;
        for (options, title) in
            [(Options::default(), "yes"), (Options::default().size(320, 640).without_script(), "no")]
        {
            let narrow = options.width < 600;
            let browser = Browser::start(options).await;
            browser.goto(&site.url()).await;
            assert_eq!((browser.title().await.as_str(), browser.scrolls_sideways().await), (title, narrow));
            browser.close().await;
        }
    }

    #[tokio::test]
    async fn a_dropped_browser_leaves_nothing_running() {
        let browser = Browser::start(Options::default()).await;
        let profile = browser._profile.path().display().to_string();
        assert!(running_with(&profile) > 0);
        drop(browser);
        let deadline = Instant::now() + DEADLINE;
        while running_with(&profile) > 0 {
            assert!(Instant::now() < deadline, "Chromium is still running");
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
    }

    /// How many processes have `text` on their command line.
    fn running_with(text: &str) -> usize {
        let processes = std::fs::read_dir("/proc").unwrap().flatten();
        let lines = processes.filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok());
        lines.filter(|line| String::from_utf8_lossy(line).contains(text)).count()
    }
}
