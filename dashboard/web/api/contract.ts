/**
 * What the pages read of each answer, held to what the pool says that it answers: `tsc` fails where an answer of `types.ts` does not fit
 * the schema that reads it. Nothing of this is in the build.
 */

import type * as account from "../account/schema";
import type * as alerts from "../alerts/schema";
import type * as algorithms from "../algorithms/schema";
import type * as feed from "../feed/schema";
import type { z } from "../feed/z";
import type * as miner from "../miner/schema";
import type * as operate from "../operate/schema";
import type * as payouts from "../payouts/schema";
import type { Answers, Block, Credit, MinerLine, OwnSession, SilenceView, TokenPair, User } from "./types";

/** The answer of a route fits what reads it. */
type Reads<Answer extends z.input<Schema>, Schema extends z.Shape> = [Answer, Schema];

export type Contract = [
  Reads<Answers["GET /api/stats"], typeof feed.stats>,
  Reads<Block, typeof feed.block>,
  Reads<MinerLine, typeof feed.miner>,
  Reads<Answers["GET /api/miners/{account}"], typeof feed.minerDetails>,
  Reads<Credit, typeof miner.earning>,
  Reads<Answers["GET /api/miners/{account}/payouts"], typeof miner.payouts>,
  Reads<Answers["GET /api/blocks/{hash}/statement"], typeof miner.statement>,
  Reads<Answers["GET /api/blocks/{hash}/proof"], typeof miner.proof>,
  Reads<Answers["GET /api/admin/payouts"], typeof payouts.status>,
  Reads<Answers["GET /api/admin/payouts/dry-run"], typeof payouts.dryRun>,
  Reads<Answers["GET /api/payouts"], typeof payouts.payouts>,
  Reads<Answers["GET /api/payouts/{id}"], typeof payouts.details>,
  Reads<Answers["GET /api/admin/payouts/audit"], typeof payouts.audit>,
  Reads<Answers["GET /api/alerts"], typeof alerts.alerts>,
  Reads<Answers["GET /api/alerts/rules"]["items"][number], typeof alerts.rule>,
  Reads<Answers["GET /api/alerts/channels"]["items"][number], typeof alerts.channel>,
  Reads<SilenceView, typeof alerts.silence>,
  Reads<TokenPair, typeof account.pair>,
  Reads<Answers["POST /api/auth/mfa/setup"], typeof account.setup>,
  Reads<Answers["POST /api/auth/mfa/enable"], typeof account.enabled>,
  Reads<Answers["POST /api/auth/mfa/backup-codes"], typeof account.codes>,
  Reads<OwnSession, typeof account.session>,
  Reads<Answers["GET /api/auth/tokens"]["items"][number], typeof account.token>,
  Reads<Answers["POST /api/auth/tokens"], typeof account.newToken>,
  Reads<Answers["GET /api/algorithms/status"], typeof algorithms.status>,
  Reads<Answers["GET /api/algorithms"], typeof algorithms.overview>,
  Reads<Answers["GET /api/algorithms/plan"], typeof algorithms.plan>,
  Reads<Answers["POST /api/algorithms/stage"], typeof algorithms.stageReport>,
  Reads<Answers["POST /api/algorithms/deploy"], typeof algorithms.deployed>,
  Reads<Answers["GET /api/deployments/{id}"], typeof algorithms.deployment>,
  Reads<Answers["GET /api/admin/system"], typeof operate.system>,
  Reads<Answers["GET /api/admin/bans"]["items"][number], typeof operate.ban>,
  Reads<Answers["GET /api/admin/connections"], typeof operate.connections>,
  Reads<Answers["GET /api/deployments"], typeof operate.deployments>,
  Reads<Answers["GET /api/admin/config"], typeof operate.config>,
  Reads<Answers["POST /api/admin/config/reload"], typeof operate.reloaded>,
  // Who a session stands for is a user and more.
  Reads<User & { mfa_setup_required: boolean; backup_codes_left: number }, typeof account.me>,
];
