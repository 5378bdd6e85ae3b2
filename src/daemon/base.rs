//! What every part is started with.

use super::places::Places;
use crate::{config::Config, job::Jobs, metrics::Metrics, scarce::Files, task::Tasks};
use anyhow::Error;
use std::{
    path::Path,
    time::{Duration, Instant},
};

/// What everything together gets to stop, before the store is closed over it.
pub(super) const STOP_DEADLINE: Duration = Duration::from_secs(10);

/// The home, its settings, and what runs and is counted on them.
pub(super) struct Base<'a> {
    pub home: &'a Path,
    pub config: &'a Config,
    pub started: Instant,
    pub places: Places,
    pub tasks: Tasks,
    pub jobs: Jobs,
    pub metrics: Metrics,
}

impl<'a> Base<'a> {
    pub fn new(home: &'a Path, config: &'a Config) -> Result<Self, Error> {
        let started = Instant::now();
        let places = Places::new(config, Files::raise()?);
        if let Some(fewer) = places.sentence() {
            tracing::warn!("{fewer}");
        }
        Ok(Self::with(home, config, places, started))
    }

    fn with(home: &'a Path, config: &'a Config, places: Places, started: Instant) -> Self {
        let tasks = Tasks::default();
        let jobs = Jobs::new(&tasks);
        Self { home, config, started, places, tasks, jobs, metrics: Metrics::default() }
    }

    /// The same with tasks, jobs and counters of its own: for what ends before the node runs.
    pub fn apart(&self) -> Self {
        Self::with(self.home, self.config, self.places.clone(), self.started)
    }
}
