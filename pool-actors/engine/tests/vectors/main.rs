//! Every linked-in algorithm against every reference vector of `tests/vectors/`.

mod cases;

use cases::vectors;
use plugin_sdk::conformance::assert_conforms;
use pool_engine::Registry;

#[test]
fn all_algorithms_have_vectors_and_pass_them() {
    let (registry, vectors) = (Registry::linked_in(), vectors());
    assert!(registry.names().eq(vectors.keys().map(String::as_str)), "{:?}", vectors.keys());
    for (name, vectors) in &vectors {
        assert!(vectors.len() >= 4, "{name} has only {} vectors", vectors.len());
        assert_conforms(&*registry.find(name).unwrap(), vectors);
    }
}

#[test]
fn threads_do_not_disturb_each_other() {
    let registry = Registry::linked_in();
    let vectors = vectors();
    std::thread::scope(|scope| {
        for turn in 0..4 {
            let (registry, vectors) = (&registry, &vectors);
            scope.spawn(move || {
                for (name, vectors) in vectors {
                    let algorithm = registry.get(name).unwrap();
                    let mut order: Vec<_> = vectors.iter().collect();
                    order.rotate_left(turn % vectors.len());
                    for vector in order {
                        assert_eq!(algorithm.hash(&vector.input).as_ref(), Ok(&vector.hash), "{name}");
                    }
                }
            });
        }
    });
}
