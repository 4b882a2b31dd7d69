//! Places at which tests end or stop this process. Debug builds only; elsewhere nothing is left of them.

/// Ends the process here if `STIPEND_CRASH_AT` names this place, as a power cut would; stops it if `STIPEND_STOP_AT`
/// does, until somebody lets it go on.
pub(crate) fn crash_point(name: &str) {
    if !cfg!(debug_assertions) {
        return;
    }
    let named = |variable| std::env::var_os(variable).is_some_and(|place| place == name);
    if named("STIPEND_CRASH_AT") {
        std::process::abort();
    }
    if named("STIPEND_STOP_AT") {
        tracing::warn!("stopped at {name}");
        nix::sys::signal::raise(nix::sys::signal::Signal::SIGSTOP).expect("a process may stop itself");
    }
}
