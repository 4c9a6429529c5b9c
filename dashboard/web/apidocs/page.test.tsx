// @vitest-environment jsdom
import { readFileSync } from "node:fs";
import { render, screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { describe, expect, it, vi } from "vitest";
import type { OpenApi } from "../api/generate";
import { DocsPage } from "./DocsPage";
import { address, curl, example, groups, resolved } from "./model";
import { SchemaView } from "./SchemaView";

const text = readFileSync(`${import.meta.dirname}/../../openapi.json`, "utf8");
const document = JSON.parse(text) as OpenApi;

function answering(status = 200, body = '{"ok":true}') {
  return vi.fn(async (to: string, init: RequestInit) => {
    if (to === "/api/openapi.json" && init.method === undefined) return new Response(text);
    return new Response(status === 204 ? null : body, { status, headers: { "X-Request-Id": "f00d" } });
  });
}

async function opened(name: RegExp, fetcher = answering()) {
  const user = userEvent.setup();
  render(<DocsPage fetcher={fetcher} />);
  await user.click(await screen.findByText(name));
  return { user, fetcher };
}

describe("the page about the API", () => {
  it("shows every route of the description", async () => {
    render(<DocsPage fetcher={answering()} />);
    await screen.findByText("BlockDAG Pool", { exact: false });
    const routes = Object.values(document.paths).flatMap((methods) => Object.keys(methods)).length;
    expect(window.document.querySelectorAll(".operation").length).toBe(routes);
  });

  it("finds routes by words, and says so when there are none", async () => {
    const user = userEvent.setup();
    render(<DocsPage fetcher={answering()} />);
    const find = await screen.findByRole("searchbox");
    await user.type(find, "post silence");
    expect(window.document.querySelectorAll(".operation").length).toBe(1);
    await user.type(find, "zebra");
    expect(screen.getByText(/no route has/i)).toBeDefined();
  });

  it("opens fields inside of fields", async () => {
    const { user } = await opened(/^Live figures of pool/);
    const answers = within(screen.getByRole("region", { name: "Answers" }));
    await user.click(answers.getByRole("button", { name: "ledger" }));
    expect(answers.getByText("imbalance")).toBeDefined();
    await user.click(answers.getByRole("button", { name: "ledger" }));
    expect(answers.queryByText("imbalance")).toBeNull();
  });

  it("tries a route out, with the token that was given", async () => {
    const { user, fetcher } = await opened(/^Payouts with all recipients/);
    expect(screen.getByText(/needs a token: give one/)).toBeDefined();
    await user.type(screen.getByLabelText("TOKEN"), "secret");
    await user.type(screen.getByLabelText("limit"), "3");
    await user.click(screen.getByRole("button", { name: "SEND GET" }));
    expect(await screen.findByText("f00d")).toBeDefined();
    expect(fetcher).toHaveBeenLastCalledWith("/api/payouts?limit=3", {
      method: "GET",
      headers: { Authorization: "Bearer secret" },
    });
    expect(screen.getByText(/curl/).textContent).not.toContain("secret");
  });

  it("sends a body that was begun for the reader, and bears an answer without one", async () => {
    const { user, fetcher } = await opened(/^Keeps a rule quiet/, answering(204));
    const body = screen.getByLabelText("body") as HTMLTextAreaElement;
    expect(JSON.parse(body.value)).toEqual({ for_s: 1, reason: "text" });
    await user.type(body, " ");
    await user.click(screen.getByRole("button", { name: "SEND POST" }));
    await screen.findByText("f00d");
    expect(fetcher.mock.lastCall?.[1]).toMatchObject({ method: "POST", body: `${body.value}` });
  });

  it("says when the pool does not answer, and tries again", async () => {
    const user = userEvent.setup();
    const fetcher = answering();
    fetcher.mockRejectedValueOnce(new Error("away"));
    render(<DocsPage fetcher={fetcher} />);
    await user.click(await screen.findByRole("button", { name: "TRY AGAIN" }));
    await user.click(await screen.findByText(/^Live figures of pool/));
    fetcher.mockRejectedValueOnce(new Error("away"));
    await user.click(screen.getByRole("button", { name: "SEND GET" }));
    expect(await screen.findByText("The pool did not answer.")).toBeDefined();
    fetcher.mockResolvedValueOnce(new Response("x".repeat(200_000)));
    await user.click(screen.getByRole("button", { name: "SEND GET" }));
    expect((await screen.findByText(/^xxx/)).textContent?.length).toBeLessThan(100_100);
  });

  it("opens what the address names", async () => {
    window.location.hash = "#getStats";
    Element.prototype.scrollIntoView = vi.fn();
    render(<DocsPage fetcher={answering()} />);
    expect(await screen.findByRole("button", { name: "SEND GET" })).toBeDefined();
    await waitFor(() => expect(Element.prototype.scrollIntoView).toHaveBeenCalled());
    window.location.hash = "";
  });

  it("says that a refused description is missing", async () => {
    render(<DocsPage fetcher={async () => new Response("no", { status: 503 })} />);
    expect(await screen.findByRole("button", { name: "TRY AGAIN" })).toBeDefined();
  });
});

describe("what the page makes of the description", () => {
  it("makes an example of every body and every answer", () => {
    for (const { routes } of groups(document))
      for (const { operation } of routes) {
        const contents = [operation.requestBody, ...Object.values(operation.responses)];
        for (const { content } of contents.filter((some) => some !== undefined))
          for (const { schema } of Object.values(content ?? {})) expect(example(schema, document)).toBeDefined();
      }
    expect(example({ type: "array" }, document)).toEqual([]);
    expect(example({ type: "boolean" }, document)).toBe(false);
    expect(example({ type: "object" }, document, 9)).toEqual({});
    expect(resolved({ $ref: "#/components/schemas/None" }, document)).toEqual({});
  });

  it("shows choices and lists", () => {
    const list = { type: "array", items: { $ref: "#/components/schemas/Credit" } };
    render(<SchemaView schema={{ oneOf: [list, { type: "string" }] }} document={document} />);
    expect(screen.getByText("one of")).toBeDefined();
    expect(screen.getByText("a list of")).toBeDefined();
    expect(screen.getByText("revision")).toBeDefined();
  });

  it("fills addresses and command lines in", () => {
    const parameters = [
      { name: "id", in: "path", required: true, schema: {} },
      { name: "limit", in: "query", required: false, schema: {} },
    ] as const;
    expect(address("/a/{id}", [...parameters], { id: "x/y", limit: " 7 " })).toBe("/a/x%2Fy?limit=7");
    expect(address("/a/{id}", [...parameters], {})).toBe("/a/");
    expect(curl("http://x", "POST", "/a", `{"it's":1}`, true)).toBe(
      `curl -X POST -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' -d '{"it'\\''s":1}' 'http://x/a'`,
    );
    expect(curl("http://x", "GET", "/a", "", false)).toBe("curl 'http://x/a'");
  });
});
