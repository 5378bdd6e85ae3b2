//! What the node does by itself: `job.…`.

use super::{
    failure::{Failure, Kind},
    method::{Entry, Method, NoParams, Scope},
    services::Services,
};
use crate::job::Status;

pub const METHODS: &[Entry] = &[Entry::of::<Ls>()];

#[derive(Debug)]
pub struct Ls;

impl Method for Ls {
    const NAME: &'static str = "job.ls";
    const SUMMARY: &'static str = "List the jobs: what each waits for, its last error and when it runs next.";
    const SCOPE: Scope = Scope::Info;
    const ERRORS: &'static [Kind] = &[];
    type Params = NoParams;
    type Result = Vec<Status>;

    async fn run(services: &Services, NoParams {}: NoParams) -> Result<Vec<Status>, Failure> {
        Ok(services.jobs.list())
    }
}
