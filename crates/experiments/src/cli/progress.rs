//! Progress of a command that works in its own process.
use indicatif::ProgressStyle;
use scenarec_train::Progress;

/// A bar on standard error, where that is a terminal.
pub(super) struct ProgressBar(indicatif::ProgressBar);

impl Default for ProgressBar {
    fn default() -> Self {
        let style =
            ProgressStyle::with_template("{msg} {bar:30} {pos}/{len}").expect("the template is valid");
        Self(indicatif::ProgressBar::no_length().with_style(style))
    }
}

impl Progress for ProgressBar {
    fn begin(&self, what: &str, total: u64) {
        self.0.reset();
        self.0.set_length(total);
        self.0.set_message(what.to_string());
    }

    fn advance(&self, steps: u64) {
        self.0.inc(steps);
    }
}

impl Drop for ProgressBar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
