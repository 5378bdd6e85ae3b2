//! What the node does by itself: `job.…`.

use super::{
    call::Call,
    failure::{Failure, Kind},
    method::{Entry, Example, Method, Need, NoParams},
};
use crate::job::Status;

pub const METHODS: &[Entry] = &[Entry::of::<Ls>()];

#[derive(Debug)]
pub struct Ls;

impl Method for Ls {
    const NAME: &'static str = "node.jobs";
    const SUMMARY: &'static str = "List the jobs: what each waits for, its last error and when it runs next.";
    const SCOPE: Need = Need::Info;
    const ERRORS: &'static [Kind] = &[];
    const EXAMPLES: &'static [Example] = &[Example {
        name: "all",
        params: "{}",
        result: r#"[{"name": "backup", "work": "takes snapshots of the home", "wait": "every 6h", "state": "waiting", "runs": 2, "last_run": "2026-11-21T09:00:00Z", "failing": true, "last_error": {"message": "the disk is away", "at": "2026-11-21T09:00:00Z"}, "next_run": "2026-11-21T15:00:00Z"}]"#,
    }];
    type Params = NoParams;
    type Result = Vec<Status>;

    async fn run(call: &Call, NoParams {}: NoParams) -> Result<Vec<Status>, Failure> {
        Ok(call.jobs.list())
    }
}
