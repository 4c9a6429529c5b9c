// @vitest-environment jsdom
import { afterEach, describe, expect, it, vi } from "vitest";
import { accessOf, TokenKeeper } from "./access";
import { AlgorithmsApi, type UploadProgress } from "./api";
import { detailsOf, refusal, safeLink } from "./failure";
import { makeDeployment, makeError, makeStatus, report } from "./fixtures";

function respond(status: number, body: unknown) {
  return async () => new Response(typeof body === "string" ? body : JSON.stringify(body), { status });
}

function open(status: number, body: unknown, token: string | null = "secret") {
  const fetcher = vi.fn(respond(status, body));
  return { fetcher, api: new AlgorithmsApi(() => token, fetcher) };
}

describe("AlgorithmsApi", () => {
  it("sends the token, and reads what it knows", async () => {
    const { api, fetcher } = open(200, makeStatus());
    const outcome = await api.status();
    expect(outcome).toMatchObject({ ok: true, value: { active_algorithm: { name: "blake3" } } });
    expect(fetcher.mock.lastCall).toMatchObject([
      "/api/algorithms/status",
      { headers: { authorization: "Bearer secret" } },
    ]);
  });

  it("sends a deployment's settings as JSON, and steers by id", async () => {
    const { api, fetcher } = open(202, { deployment_id: 7 }, null);
    const config = { strategy: "immediate", rollback_on_error: true } as const;
    expect(await api.deploy(config)).toMatchObject({ ok: true, value: { deployment_id: "7" } });
    const [, init] = fetcher.mock.lastCall as unknown as [string, RequestInit];
    expect(JSON.parse(String(init.body))).toEqual({ config });
    expect(init.headers).not.toHaveProperty("authorization");
    await api.act("a/b", "pause");
    expect(fetcher.mock.lastCall).toMatchObject(["/api/deployments/a%2Fb/pause", { method: "POST" }]);
  });

  it("takes lists, and leaves out what does not fit", async () => {
    const { api } = open(200, { items: [makeDeployment(), { deployment_id: {} }], next: null });
    expect(await api.deployments()).toMatchObject({ ok: true, value: [{ deployment_id: "42" }] });
  });

  it("says what went wrong instead of throwing", async () => {
    expect(await open(404, makeError("NOT_FOUND")).api.status()).toMatchObject({ failure: { kind: "unserved" } });
    expect(await open(404, "<html>").api.plan()).toMatchObject({ failure: { code: "HTTP_404", kind: "unserved" } });
    expect(await open(502, "").api.plan()).toMatchObject({ failure: { code: "HTTP_502", kind: "refused" } });
    expect(await open(200, { active_algorithm: 7 }).api.status()).toMatchObject({ failure: { kind: "unreadable" } });
    expect(await open(200, "nothing").api.plan()).toMatchObject({ failure: { kind: "unreadable" } });
    const dead = new AlgorithmsApi(
      () => null,
      () => Promise.reject(new TypeError("offline")),
    );
    expect(await dead.deployment("1")).toMatchObject({ failure: { kind: "offline" } });
  });

  it("asks by fetch when told nothing else", async () => {
    const fetcher = vi.spyOn(globalThis, "fetch").mockImplementation(respond(401, makeError("UNAUTHORIZED")));
    expect(await new AlgorithmsApi(() => null).me()).toMatchObject({ failure: { kind: "locked" } });
    expect(fetcher).toHaveBeenCalledOnce();
  });
});

describe("refusal", () => {
  it("keeps the pool's advice, and only links that a browser may follow", () => {
    const body = makeError("SIGNATURE_INVALID", {
      severity: "critical",
      details: { key_id: "9f", empty: null, list: [1], checks: report.validation_results.slice(0, 1) },
      documentation_link: "javascript:alert(1)",
    });
    expect(refusal(422, body, "/x")).toMatchObject({
      kind: "refused",
      id: "e-1",
      severity: "critical",
      documentation: null,
      details: [
        ["key_id", "9f"],
        ["list", "[1]"],
      ],
      checks: [{ check: "container" }],
      actions: [{ command: "dagpool check", priority: "high" }],
    });
    expect(
      refusal(422, makeError("X", { details: { validation_results: report.validation_results } }), "/x").checks,
    ).toHaveLength(3);
    const finer = { package_code: "SIGNATURE_INVALID" };
    const suggested_actions = ["Get it again", "Ask", "Ask"].map((one) => ({ action: one, priority: "high" }));
    expect(
      refusal(422, makeError("PACKAGE_VALIDATION_FAILED", { details: finer, suggested_actions }), "/x"),
    ).toMatchObject({
      details: [["package_code", "SIGNATURE_INVALID"]],
      actions: [{ action: "Get it again", command: null }, { action: "Ask" }],
    });
    expect(refusal(404, makeError("NO_STAGED_ALGORITHM"), "/x").kind).toBe("refused");
    expect(refusal(403, makeError("FORBIDDEN"), "/x").kind).toBe("forbidden");
    expect([safeLink("//evil"), safeLink("https://a/b"), safeLink(null)]).toEqual([null, "https://a/b", null]);
    expect([detailsOf("text"), detailsOf(undefined)]).toEqual([[["details", "text"]], []]);
  });
});

class FakeRequest {
  static last: FakeRequest;
  upload: { onprogress?: (event: { loaded: number; total: number }) => void; onload?: () => void } = {};
  onload?: () => void;
  onerror?: () => void;
  onabort?: () => void;
  status = 0;
  responseText = "";
  headers: Record<string, string> = {};
  sent: FormData | null = null;
  constructor() {
    FakeRequest.last = this;
  }
  open() {}
  setRequestHeader(name: string, value: string) {
    this.headers[name] = value;
  }
  send(form: FormData) {
    this.sent = form;
  }
  abort() {
    this.onabort?.();
  }
  answer(status: number, body: unknown) {
    this.status = status;
    this.responseText = JSON.stringify(body);
    this.onload?.();
  }
}

describe("upload", () => {
  afterEach(() => vi.unstubAllGlobals());

  function start(token: string | null = "secret") {
    vi.stubGlobal("XMLHttpRequest", FakeRequest);
    const seen: UploadProgress[] = [];
    const abort = new AbortController();
    const file = new File([new Uint8Array(1000)], "a.zip");
    const outcome = new AlgorithmsApi(() => token).stage(file, (progress) => seen.push(progress), abort.signal);
    return { seen, abort, outcome, request: FakeRequest.last };
  }

  it("tells bytes, then that the pool checks, then the report", async () => {
    const { seen, outcome, request } = start();
    request.upload.onprogress?.({ loaded: 1200, total: 1200 });
    request.upload.onload?.();
    request.answer(200, { algorithm_id: "blake3_1.1.0", status: "staged", ...report });
    expect(await outcome).toMatchObject({
      ok: true,
      value: { algorithm_id: "blake3_1.1.0", warnings: report.warnings },
    });
    expect(seen).toEqual([{ phase: "sending", sent: 1000, total: 1000 }, { phase: "checking" }]);
    expect(request.headers.authorization).toBe("Bearer secret");
    expect(request.sent?.get("package")).toMatchObject({ name: "a.zip" });
  });

  it("tells refusals, broken connections and cancelling apart", async () => {
    const refused = start(null);
    refused.request.answer(422, makeError("MANIFEST_INVALID"));
    expect(await refused.outcome).toMatchObject({ failure: { code: "MANIFEST_INVALID" } });
    expect(refused.request.headers).toEqual({});
    const broken = start();
    broken.request.onerror?.();
    expect(await broken.outcome).toMatchObject({ failure: { kind: "offline" } });
    const stopped = start();
    stopped.abort.abort();
    expect(await stopped.outcome).toMatchObject({ failure: { kind: "cancelled" } });
    const odd = start();
    odd.request.answer(200, { status: "staged" });
    expect(await odd.outcome).toMatchObject({ failure: { kind: "unreadable" } });
  });
});

describe("access", () => {
  it("follows the role; without users the one token may everything", () => {
    expect(accessOf(null)).toEqual({ may: "change", user: null, role: null });
    expect(accessOf({ username: "a", role: null }).may).toBe("change");
    expect(accessOf({ username: "a", role: "operator" }).may).toBe("change");
    expect(accessOf({ username: "a", role: "viewer" })).toEqual({ may: "read", user: "a", role: "viewer" });
  });

  it("keeps the token for this tab, or in memory where storage is forbidden", () => {
    const keeper = new TokenKeeper();
    keeper.keep("t");
    expect(new TokenKeeper().token()).toBe("t");
    keeper.keep(null);
    expect(new TokenKeeper().token()).toBeNull();
    const forbidden = new TokenKeeper(() => {
      throw new Error("forbidden");
    });
    forbidden.keep("t");
    expect(forbidden.token()).toBe("t");
  });
});
