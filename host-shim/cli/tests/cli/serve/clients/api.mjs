// The API of a server, which an operator uses beside the browser of a story.

// Returns what a person types into a checkout, with the card that pays.
export function card(email = "ada@example.com", name = "Ada", number = "4242 4242 4242 4242") {
  return { email, number, expiry: "12 / 40", cvc: "123", name };
}

// Pays a checkout without a browser.
export async function payAt(address, fields = card()) {
  const answer = await fetch(address, { method: "POST", body: new URLSearchParams(fields), redirect: "manual" });
  if (answer.status >= 400) throw new Error(`the checkout answered ${answer.status}`);
}

export function operatorOf(server, key) {
  const call = async (method, path, body) => {
    const answer = await fetch(`${server}${path}`, {
      method,
      headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
      body: body && JSON.stringify(body),
    });
    if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
    return answer.json();
  };
  // Makes an instance as soon as the webhook of its payment has arrived.
  const create = async (account, instance) => {
    for (let tries = 0; ; tries += 1) {
      try {
        return await call("POST", `/api/commands/instance.create?account=${account}`, instance);
      } catch (error) {
        if (tries > 50) throw error;
        await new Promise((resolve) => setTimeout(resolve, 200));
      }
    }
  };
  return {
    call,
    advance: (advance) => call("POST", "/api/operator/clock", { advance }),
    // Pays a plan for another customer, and makes an instance.
    async have(account, plan, instance) {
      const { checkout_url } = await call("POST", `/api/commands/purchase.create?account=${account}`, { plan });
      await payAt(checkout_url, card(`${account.split(":")[1]}@example.com`));
      return create(account, instance);
    },
  };
}
