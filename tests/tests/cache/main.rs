//! The caches: one suite of what every cache must do, run on each, and what only Redis can do wrong.

mod conformance;
mod redis;

use std::sync::Arc;

use pool_actors::{
    adapters::cache_memory::MemoryCache,
    ports::cache::{Cache, SharedCache},
};

/// The names of one prefix.
fn names(port: &SharedCache) -> Cache {
    Cache::new(Arc::clone(port), "test")
}

/// The suite, once for each cache.
macro_rules! conforms {
    ($($name:ident),* $(,)?) => {
        mod on_memory {
            use super::*;
            $(#[actix_rt::test]
            async fn $name() {
                conformance::$name(Arc::new(MemoryCache::default())).await;
            })*
        }

        mod on_redis {
            use super::*;
            $(#[actix_rt::test]
            async fn $name() {
                let server = pool_tests::redis::Redis::start();
                conformance::$name(redis::cache(&server.url())).await;
            })*
        }
    };
}

conforms! {
    a_table_changes_in_one_step,
    counters_count_all_and_begin_again,
    followers_hear_what_is_published,
    log_ins_end_and_tokens_are_taken_back,
    of_many_one_is_the_first,
    prefixes_do_not_meet,
    what_is_kept_ends_after_its_time,
}
