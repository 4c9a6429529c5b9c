//! Following a deployment to its end.

use std::time::Duration;

use serde_json::Value;

use super::{
    Done, Output,
    client::{Client, RemoteError},
    progress::{Line, bar},
    show,
};

/// How often the pool is asked.
const POLL: Duration = Duration::from_millis(500);
/// Polls in a row without an answer before it is given up: a pool that restarts is back by then.
const SILENT_MAX: u32 = 120;

/// Whether it can't change any more.
pub(super) fn is_over(deployment: &Value) -> bool {
    matches!(deployment["status"].as_str(), Some("completed" | "rolled_back"))
}

/// Waits until a deployment is over. `quiet` leaves out the lines about its steps where there is no terminal.
pub(super) async fn until_over(client: &Client, id: &str, quiet: bool) -> Done {
    let path = format!("/api/deployments/{id}");
    let (mut line, mut seen, mut silent) = (Line::new(), String::new(), 0);
    loop {
        let deployment = match client.get(&path).await {
            Ok(deployment) => deployment,
            Err(error) if error.unreachable && silent < SILENT_MAX => {
                silent += 1;
                line.show(&format!("deployment {id}: the pool does not answer; it is asked again"));
                tokio::time::sleep(POLL).await;
                continue;
            }
            Err(error) => return Err(gone(&mut line, error)),
        };
        silent = 0;
        let step = show::step(&deployment);
        if line.is_visible() {
            line.show(&format!("{} {step}", progress(&deployment)));
        } else if step != seen && !quiet {
            eprintln!("{step}");
            seen = step;
        }
        if is_over(&deployment) {
            line.clear();
            let ok = deployment["status"] == "completed";
            return Ok(Output { text: show::deployment(&deployment), json: deployment, ok });
        }
        tokio::time::sleep(POLL).await;
    }
}

fn gone(line: &mut Line, error: Box<RemoteError>) -> Box<RemoteError> {
    line.clear();
    error
}

fn progress(deployment: &Value) -> String {
    let phases = deployment["phases"].as_array().map_or(&[][..], Vec::as_slice);
    let done = phases.iter().filter(|phase| phase["status"] == "completed").count();
    bar(done, phases.len())
}
