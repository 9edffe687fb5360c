//! `anteroom run`: the main job, until SIGTERM or Ctrl-C.

use std::io::Write;
use std::process::ExitCode;

use super::{ConfigArgs, FAILED, INVALID};
use crate::app::{App, Seams};
use crate::config::Config;
use crate::ops::{drain, logging};

/// Loads the configuration, starts, says where it listens, and serves.
pub async fn run(args: &ConfigArgs, err: &mut dyn Write) -> ExitCode {
    let (config, warnings) = match Config::load(&args.load_options()) {
        Ok(loaded) => loaded,
        Err(errors) => {
            let _told = write!(err, "{errors}");
            return ExitCode::from(INVALID);
        }
    };
    logging::init(config.ops.log_format.into(), &config.ops.level);
    for warning in &warnings {
        let _told = writeln!(err, "{warning}");
    }
    serve(config, Seams::default(), err).await
}

/// Starts and serves; shared with the demo.
pub(super) async fn serve(config: Config, seams: Seams, err: &mut dyn Write) -> ExitCode {
    let callback = config.public_url.callback_url(&config.atlassian.callback_path);
    let app = match App::start(config, seams).await {
        Ok(app) => app,
        Err(error) => {
            let _told = writeln!(err, "anteroom cannot start: {error}");
            return ExitCode::from(FAILED);
        }
    };
    tracing::info!(address = %app.address(), ops = ?app.ops_address(), %callback, "anteroom is ready");
    app.run(drain::signal()).await;
    ExitCode::SUCCESS
}
