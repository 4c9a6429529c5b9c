//! What goes between the pool and its cache, behind the miners' backs: nothing here is waited for by a share or a session.

pub mod figures;
pub mod keeper;
pub mod relay;
