// @vitest-environment jsdom
import { fireEvent, render, screen, waitFor, within } from "@testing-library/react";
import { beforeEach, describe, expect, it } from "vitest";
import { Account } from "../account/account";
import { AccountApi } from "../account/api";
import { makeError } from "../algorithms/fixtures";
import { Session } from "../state/session";
import { Store } from "../state/store";
import { at } from "../test-data";
import { Toasts } from "../ui/Toasts";
import AlertsPage from "./AlertsPage";
import { AlertsApi } from "./api";

const alert = (id: string, rule: string, change: object = {}) => ({
  id,
  rule,
  subject: "",
  severity: "critical",
  state: "firing",
  message: `${rule} says what is wrong`,
  documentation_link: "/docs/errors/NODE_UNUSABLE",
  value: 0,
  fired_at: at,
  resolved_at: null,
  acknowledged: null,
  inhibited_by: null,
  silenced: false,
  ...change,
});

const over = (id: string, rule: string) => alert(id, rule, { state: "resolved", resolved_at: at });

const rules = [
  { name: "node_not_ready", severity: "critical", condition: "dagpool_node_ready < 1", for_s: 10, value: 0 },
  { name: "slow_disk", severity: "warning", condition: "mean of x over 60 s > 0.1", for_s: 30, value: null },
];

const channel = (name: string, change: object = {}) => ({
  name,
  kind: "slack",
  delivered: 3,
  given_up: 0,
  waiting: 0,
  delivered_at: at,
  trouble: null,
  ...change,
});

class Pool {
  answers = new Map<string, [status: number, body: unknown]>([
    ["GET /api/alerts?limit=50", [200, { firing: [], items: [], silences: [], next: null }]],
    ["GET /api/alerts/rules", [200, { items: rules, next: null }]],
    ["GET /api/alerts/channels", [200, { items: [], next: null }]],
  ]);
  sent: [route: string, body: unknown][] = [];

  say(route: string, status: number, body: unknown) {
    this.answers.set(route, [status, body]);
  }

  alerts(change: object) {
    this.say("GET /api/alerts?limit=50", 200, { firing: [], items: [], silences: [], next: null, ...change });
  }

  readonly fetch = async (path: string, init: RequestInit): Promise<Response> => {
    const route = `${init.method ?? "GET"} ${path}`;
    this.sent.push([route, init.body ? JSON.parse(String(init.body)) : null]);
    const [status, body] = this.answers.get(route) ?? [404, makeError("NOT_FOUND")];
    return new Response(status === 204 ? null : JSON.stringify(body), { status });
  };

  bodies = (route: string) => this.sent.filter(([sent]) => sent === route).map(([, body]) => body);
}

function open(pool: Pool) {
  const account = new Account({ api: (token) => new AccountApi(token, pool.fetch) });
  const session = new Session({
    url: "ws://pool/api/live",
    open: () => ({ onopen: null, onmessage: null, onclose: null, onerror: null, close() {} }),
    load: async () => ({ stats: null, blocks: null, miners: null }),
    store: new Store((flush) => flush()),
  });
  const api = new AlertsApi(() => "good", pool.fetch);
  render(
    <Toasts>
      <AlertsPage session={session} account={account} nav={null} api={api} />
    </Toasts>,
  );
}

const shown = (text: string | RegExp) => screen.findByText(text);
const press = (name: string | RegExp, inside: HTMLElement = document.body) =>
  fireEvent.click(within(inside).getByRole("button", { name }));
const dialog = () => screen.getByRole("dialog");

beforeEach(() => {
  // jsdom knows no modal dialogs.
  HTMLDialogElement.prototype.showModal = function showModal() {
    this.open = true;
  };
  HTMLDialogElement.prototype.close = function close() {
    this.open = false;
  };
});

describe("ALERTS", () => {
  it("says that all is quiet, and that nobody would be told", async () => {
    open(new Pool());
    await shown("ALL_QUIET");
    await shown("NOBODY_IS_TOLD");
    await shown("NOTHING_YET");
  });

  it("sends strangers to sign in", async () => {
    const pool = new Pool();
    pool.say("GET /api/alerts?limit=50", 401, makeError("UNAUTHORIZED"));
    open(pool);
    expect((await screen.findByRole("link", { name: "SIGN IN" })).getAttribute("href")).toContain("/sign-in?next=");
  });

  it("shows what fires with why it is quiet, and lets somebody take it on", async () => {
    const pool = new Pool();
    const taken = { by: "ann", at, note: "on it" };
    pool.alerts({
      firing: [
        alert("1", "node_not_ready"),
        alert("2", "template_old", { inhibited_by: "node_not_ready", silenced: true }),
        alert("3", "slow_disk", { severity: "warning", acknowledged: taken }),
      ],
    });
    pool.say("POST /api/alerts/1/acknowledge", 200, alert("1", "node_not_ready"));
    open(pool);
    const first = await screen.findByTestId("firing-node_not_ready");
    const second = screen.getByTestId("firing-template_old");
    expect(second.textContent).toContain("node_not_ready explains it");
    expect(second.textContent).toContain("silenced");
    expect(screen.getByTestId("firing-slow_disk").textContent).toContain("ann takes care of it: on it");
    press("I TAKE IT…", first);
    fireEvent.change(within(dialog()).getByLabelText("What you do about it"), { target: { value: " restart " } });
    press("I TAKE IT", dialog());
    await waitFor(() => expect(pool.bodies("POST /api/alerts/1/acknowledge")).toEqual([{ note: "restart" }]));
    await shown("node_not_ready is yours");
  });

  it("silences a rule for a reason, shows a refusal, and ends a silence", async () => {
    const pool = new Pool();
    const silence = { id: "9", rule: "slow_disk", subject: "", by: "ann", reason: "a new disk", at, until: at };
    pool.alerts({ silences: [silence] });
    pool.say("POST /api/alerts/silences", 400, makeError("BAD_REQUEST"));
    pool.say("DELETE /api/alerts/silences/9", 204, null);
    open(pool);
    await shown("ann: a new disk");
    press(/SILENCE… node_not_ready/);
    expect(within(dialog()).getByRole("button", { name: "SILENCE IT" })).toHaveProperty("disabled", true);
    fireEvent.change(within(dialog()).getByLabelText("Why"), { target: { value: "upgrade" } });
    fireEvent.change(within(dialog()).getByLabelText("For"), { target: { value: "86400" } });
    press("SILENCE IT", dialog());
    await shown("BAD_REQUEST");
    pool.say("POST /api/alerts/silences", 201, silence);
    press("SILENCE IT", dialog());
    await waitFor(() => expect(screen.queryByRole("dialog")).toBeNull());
    expect(pool.bodies("POST /api/alerts/silences")[1]).toEqual({
      rule: "node_not_ready",
      for_s: 86_400,
      reason: "upgrade",
    });
    press(/END the silence of slow_disk/);
    await waitFor(() => expect(pool.bodies("DELETE /api/alerts/silences/9")).toHaveLength(1));
  });

  it("tries a channel and says what it answered", async () => {
    const pool = new Pool();
    const items = [channel("chat"), channel("pager", { trouble: "it answered 401", given_up: 2, waiting: 1 })];
    pool.say("GET /api/alerts/channels", 200, { items, next: null });
    pool.say("POST /api/alerts/channels/chat/test", 200, { channel: "chat", ok: true, message: null });
    pool.say("POST /api/alerts/channels/pager/test", 200, { channel: "pager", ok: false, message: "wrong key" });
    open(pool);
    await shown(/it answered 401 · 1 wait · 2 given up/);
    press(/SEND A TEST to chat/);
    await shown("chat: the test was taken");
    press(/SEND A TEST to pager/);
    await shown("pager: wrong key");
  });

  it("keeps what is over, page by page, each alert once", async () => {
    const pool = new Pool();
    pool.alerts({ items: [over("5", "slow_disk"), over("4", "many_bans")], next: "4" });
    const older = { firing: [], silences: [], items: [over("4", "many_bans"), over("3", "slow_node")], next: null };
    pool.say("GET /api/alerts?limit=50&cursor=4", 200, older);
    open(pool);
    await screen.findByTestId("over");
    press("OLDER");
    await waitFor(() => expect(within(screen.getByTestId("over")).getAllByRole("listitem")).toHaveLength(3));
    expect(screen.queryByRole("button", { name: "OLDER" })).toBeNull();
  });
});
