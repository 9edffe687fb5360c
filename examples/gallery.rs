//! Writes every page, in every language, with its stylesheet and logo into a folder, to be looked at in a browser:
//! `cargo run --example gallery -- DIR [NAME [COLOUR [SUPPORT]]] [--demo]`. Links between the files are relative.

use std::error::Error;
use std::path::Path;
use std::{env, fs};

use anteroom::pages::samples::{Cast, every_page};
use anteroom::pages::{ASSETS, Branding, Language, Pages};

fn main() -> Result<(), Box<dyn Error>> {
    let (flags, arguments): (Vec<_>, Vec<_>) =
        env::args().skip(1).partition(|argument| argument.starts_with("--"));
    let mut arguments = arguments.into_iter();
    let folder = arguments.next().ok_or("usage: gallery DIR [NAME [COLOUR [SUPPORT]]] [--demo]")?;
    let folder = Path::new(&folder);
    let pages = Pages::new(Branding {
        name: arguments.next().unwrap_or_else(|| "Acme Wiki".to_owned()),
        logo: None,
        colour: arguments.next().map(|colour| colour.parse()).transpose()?,
        support: Some(arguments.next().unwrap_or_else(|| "help@example.com".to_owned())),
        demo: flags.iter().any(|flag| flag == "--demo"),
    });
    let assets = ASSETS.trim_start_matches('/');
    fs::create_dir_all(folder.join(assets))?;
    for language in Language::ALL {
        for (name, page) in every_page(&Cast::EXAMPLE) {
            let html = String::from_utf8(pages.render(&page, language).body.to_vec())?;
            for path in html.split('"').filter(|path| path.starts_with(ASSETS)) {
                let asset = pages.asset(path).ok_or("a page refers to an asset that does not exist")?;
                fs::write(folder.join(path.trim_start_matches('/')), asset.body)?;
            }
            fs::write(folder.join(format!("{name}.{}.html", language.tag())), html.replace(ASSETS, assets))?;
        }
    }
    Ok(())
}
