"""One trade on an Agent Exchange in Python: gRPC and reflection, no generated code.

A consumer wants the words of a text counted, a provider counts them, and 85 % of the price go to the provider and
15 % to the exchange. The first lines of README.md beside this file say how to run it.

    CONSUMER_KEY=aex_test_… PROVIDER_KEY=aex_test_… python trade.py 127.0.0.1:8080
"""

import os
import sys
import time
import uuid
from datetime import datetime, timedelta, timezone
from decimal import ROUND_HALF_UP, Decimal

import grpc
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from grpc_status import rpc_status

# The longest that one answer, or one watch, is waited for, in seconds.
PATIENCE = 60
PRICE = "1.234567"
TEXT = "a bid that was acknowledged is in the evaluation"


def discover(channel):
    """Asks the exchange for its methods: `{"SettlementService/GetBalance": descriptor, …}`."""
    database = ProtoReflectionDescriptorDatabase(channel)
    pool = DescriptorPool(database)
    services = [pool.FindServiceByName(name) for name in database.get_services() if name.startswith("aex.")]
    return {f"{service.name}/{method.name}": method for service in services for method in service.methods}


class Tenant:
    """Speaks to the exchange with one API key. Fields are keyword arguments, a message in a message is a dict."""

    def __init__(self, channel, methods, api_key):
        self.channel = channel
        self.methods = methods
        self.metadata = [("authorization", f"Bearer {api_key}")]

    def _open(self, name, fields):
        method = self.methods[name]
        make = self.channel.unary_stream if method.server_streaming else self.channel.unary_unary
        rpc = make(
            f"/{method.containing_service.full_name}/{method.name}",
            request_serializer=lambda request: request.SerializeToString(),
            response_deserializer=GetMessageClass(method.output_type).FromString,
        )
        return rpc(GetMessageClass(method.input_type)(**fields), metadata=self.metadata, timeout=PATIENCE)

    def ask(self, name, **fields):
        """Asks a question, and answers the reply."""
        return self._open(name, fields)

    def change(self, name, **fields):
        """Asks for a change. Asked again with the same key, the exchange answers the same and does it once."""
        return self._open(name, {"idempotency_key": uuid.uuid4().hex, **fields})

    def watch(self, name, **fields):
        """Every message of a watch, until the exchange ends it because nothing more can happen."""
        return self._open(name, fields)

    def balance(self):
        """Free, held in escrow, and earned but not free yet."""
        for balance in self.ask("SettlementService/GetBalance", currency_code="USD").balances:
            return tuple(Decimal(part or "0") for part in (balance.available, balance.escrow, balance.pending))
        return Decimal(0), Decimal(0), Decimal(0)


def word(message, field):
    """The name of an enum's value, without the name of the enum: WORK_STATUS_OPEN is OPEN."""
    enum = message.DESCRIPTOR.fields_by_name[field].enum_type
    return enum.values_by_number[getattr(message, field)].name.split(f"{field}_".upper())[-1]


def dollars(amount):
    return {"currency_code": "USD", "amount": amount}


def why(error):
    """What a program reads from a refusal: its code, its reason, and the fields that are wrong."""
    info, bad = ErrorInfo(), BadRequest()
    for detail in rpc_status.from_call(error).details:
        detail.Unpack(info)
        detail.Unpack(bad)
    return error.code().name, info.domain, info.reason, [violation.field for violation in bad.field_violations]


def register(provider):
    """A provider with one agent, whose key is proved by a signature over the provider's id."""
    made = provider.change(
        "ProviderRegistryService/RegisterProvider",
        display_name="Word counters",
        endpoint="https://words.example",
        capabilities=["text.count"],
    ).provider
    key = Ed25519PrivateKey.generate()
    agent = provider.change(
        "ProviderRegistryService/RegisterAgent",
        provider_id=made.provider_id,
        display_name="counter",
        public_key=key.public_key().public_bytes_raw(),
        proof=key.sign(b"aex-agent-v1\0" + made.provider_id.encode()),
    ).agent
    print(f"provider {made.provider_id} with agent {agent.agent_id}")
    return made.provider_id, agent.agent_id


def publish(consumer):
    """Work that pays at most 2.50. A request that cannot be right is refused with every field that is wrong."""
    try:
        consumer.change("WorkPublisherService/PublishWork", category="Text!", max_price=dollars("2.5000001"))
    except grpc.RpcError as error:
        code, domain, reason, fields = why(error)
        print(f"refused {code} {reason} of {domain}: {', '.join(sorted(fields))}")
    work = consumer.change(
        "WorkPublisherService/PublishWork",
        category="text.count",
        description="Count the words of the text.",
        max_price=dollars("2.50"),
        payload=TEXT.encode(),
        payload_content_type="text/plain",
        bid_window=timedelta(seconds=60),
    ).work
    print(f"published {work.work_id} for at most {work.max_price.amount} USD")
    return work.work_id


def deliver(provider, contract_id):
    """What the provider does for its money."""
    provider.change("ContractEngineService/StartContract", contract_id=contract_id)
    text = provider.ask("ContractEngineService/GetContractPayload", contract_id=contract_id).payload.decode()
    provider.change(
        "ContractEngineService/CompleteContract",
        contract_id=contract_id,
        success=True,
        result=str(len(text.split())).encode(),
        result_content_type="text/plain",
    )


def trade(consumer, provider):
    """From the first bid to the last payment. Answers the contract."""
    provider_id, agent_id = register(provider)
    work_id = publish(consumer)
    watched = consumer.watch("WorkPublisherService/WatchWork", work_id=work_id)
    bid = provider.change(
        "BidGatewayService/SubmitBid",
        work_id=work_id,
        provider_id=provider_id,
        agent_id=agent_id,
        price=dollars(PRICE),
        confidence=0.99,
        endpoint="https://words.example",
        expire_time=datetime.now(timezone.utc) + timedelta(hours=1),
    ).bid
    print(f"bid {bid.bid_id} of {bid.price.amount} USD")

    # The consumer need not wait for the end of the bid window: an award closes it.
    offers = consumer.ask("BidGatewayService/ListBids", work_id=work_id).bids
    best = min(offers, key=lambda offer: Decimal(offer.price.amount))
    contract = consumer.change("ContractEngineService/AwardContract", work_id=work_id, bid_id=best.bid_id).contract
    print(f"awarded {contract.contract_id}: {word(contract, 'status')}, {consumer.balance()[1]} USD in escrow")

    deliver(provider, contract.contract_id)
    counted = consumer.ask("ContractEngineService/GetContractResult", contract_id=contract.contract_id).result
    assert counted == str(len(TEXT.split())).encode(), counted
    consumer.change("ContractEngineService/AcceptContract", contract_id=contract.contract_id)
    print(f"accepted {counted.decode()} words")

    # Both watches end by themselves; between updates there may be signs of life, which carry none.
    updates = consumer.watch("ContractEngineService/WatchContract", contract_id=contract.contract_id)
    states = [word(update.contract, "status") for update in updates if update.HasField("contract")]
    print(f"contract {' '.join(states)}")
    print(f"work {' '.join(word(update, 'kind') for update in watched if update.kind)}")
    return contract.contract_id


def settled(consumer, provider, contract_id, before):
    """Checks every cent: what the consumer paid, the provider earned, and the exchange kept."""
    price = Decimal(PRICE)
    fee = (price * Decimal("0.15")).quantize(Decimal("0.000001"), ROUND_HALF_UP)
    hold = consumer.ask("SettlementService/GetSettlement", contract_id=contract_id).hold
    assert (Decimal(hold.price.amount), Decimal(hold.fee.amount)) == (price, fee), hold
    assert Decimal(hold.payout.amount) == price - fee, hold

    # A payout may be pending for a while; an exchange of `aex dev` frees it at once.
    (free, *rest), (earned, *none) = before
    deadline = time.monotonic() + PATIENCE
    while provider.balance()[2] and time.monotonic() < deadline:
        time.sleep(0.05)
    assert consumer.balance() == (free - price, *rest), consumer.balance()
    assert provider.balance() == (earned + price - fee, *none), provider.balance()
    print(f"paid {price} USD: {price - fee} to the provider, {fee} to the exchange")


def main():
    with grpc.insecure_channel(sys.argv[1].removeprefix("http://")) as channel:
        methods = discover(channel)
        print(f"discovered {len(methods)} methods")
        consumer = Tenant(channel, methods, os.environ["CONSUMER_KEY"])
        provider = Tenant(channel, methods, os.environ["PROVIDER_KEY"])
        consumer.change("SettlementService/RequestDeposit", amount=dollars("100"), rail="test")
        before = consumer.balance(), provider.balance()
        print(f"deposited: the consumer has {before[0][0]} USD")
        contract_id = trade(consumer, provider)
        settled(consumer, provider, contract_id, before)


if __name__ == "__main__":
    main()
