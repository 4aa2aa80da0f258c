//! The `mainspring` program: reads the command line and does what it says.

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    mainspring_server::cli::run(std::env::args_os())
}
