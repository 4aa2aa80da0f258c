//! The `mainspring` program: reads the command line and does what it says.

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    let arguments: Vec<_> = std::env::args_os().collect();
    // Before anything else, while there is one thread: a child for users' code gives up all that the rest would need.
    if mainspring_sandbox::child::is_asked(&arguments) {
        return mainspring_sandbox::child::run(&arguments);
    }
    mainspring_server::cli::run(arguments)
}
