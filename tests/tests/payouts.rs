//! Payouts against a simulated node, on both databases: crashes between every two steps, wallets that time out after they
//! have sent, nodes that are down, inputs that others spend, branches of the DAG that do, reorganisations, refused addresses, and an external signer.

#[path = "payouts/branches.rs"]
mod branches;
#[path = "payouts/crashes.rs"]
mod crashes;
#[path = "payouts/failing.rs"]
mod failing;
#[path = "payouts/faults.rs"]
mod faults;
#[path = "payouts/signer.rs"]
mod signer;
#[path = "payouts/world.rs"]
mod world;
