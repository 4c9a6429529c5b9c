//! The child of the tests: a program that is nothing else.

fn main() {
    pool_engine::isolation::host_if_asked();
    eprintln!("this program is started by tests only");
    std::process::exit(2);
}
