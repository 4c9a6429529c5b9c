//! The process dies before and after each call that changes something: reservation, signature, persisted bytes, recorded
//! and real sending, confirmation, settlement. The next process goes on, and everybody is paid once.

use pool_actors::ledger::payout_rounds::{Rounds, Trouble};

use crate::{
    failing::{Fuse, Moment},
    world::{COIN, World, advance},
};

/// One life of a dispatcher: rounds and blocks until everything is paid, or until it dies.
async fn live(world: &World, fuse: &Fuse, rounds: &mut Rounds) -> Result<(), Trouble> {
    advance(rounds).await?;
    rounds.reserve().await?;
    for _ in 0..20 {
        let round = advance(rounds).await?;
        assert!(round.troubles.is_empty(), "{:?}", round.troubles);
        if round.open == 0 && !fuse.blown() {
            return Ok(());
        }
        world.mine(1).await;
    }
    panic!("payouts do not end: {:#?}", world.payouts.open_payouts().await.unwrap());
}

async fn dies_everywhere(mut world: World) {
    let mut crashes = 0;
    for moment in [Moment::Before, Moment::After] {
        for call in 1.. {
            let what = format!("death {moment:?} call {call}");
            // Three accounts, two to a payout: two payouts are under way at a time.
            world.credit(&[("alice", COIN + i128::from(call)), ("bob", 2 * COIN), ("carol", 3 * COIN)]).await;
            let fuse = Fuse::at(call, moment);
            let died = match Rounds::take(fuse.wired(world.parts())).await {
                Ok(mut rounds) => live(&world, &fuse, &mut rounds).await.is_err(),
                Err(_) => true,
            };
            assert_eq!(died, fuse.blown(), "{what}");
            let mut next = Rounds::take(world.parts()).await.unwrap();
            next.reserve().await.unwrap();
            world.settle(&mut next).await;
            world.assert_all_paid(&what).await;
            if !died {
                break;
            }
            crashes += 1;
            // Coins for the next ones.
            world.mine(6).await;
        }
    }
    // Taking over, reserving, two signatures persisted and sent, two blocks, two settlements.
    assert!(crashes >= 2 * 12, "only {crashes} moments to die at");
    println!("{crashes} deaths, everybody paid once");
}

#[actix_rt::test]
async fn a_death_between_any_two_steps_pays_nobody_twice_on_sqlite() {
    dies_everywhere(World::on_sqlite().await).await;
}

#[actix_rt::test]
async fn a_death_between_any_two_steps_pays_nobody_twice_on_postgres() {
    dies_everywhere(World::on_postgres().await).await;
}
