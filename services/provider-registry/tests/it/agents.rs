use aex_proto::aex::provider_registry::v1 as pb;
use aex_testkit::Refused;
use tonic::Code;

use crate::fixture::{NOBODY, Registry, bound, register_agent, retire};

fn list(provider_id: &str) -> pb::ListAgentsRequest {
    pb::ListAgentsRequest {
        provider_id: provider_id.to_owned(),
        ..Default::default()
    }
}

#[tokio::test]
async fn an_agent_is_registered_with_a_proof_of_its_key() {
    let mut registry = Registry::new().await;
    let (ada, bob) = (registry.tenant("Ada").await, registry.tenant("Bob").await);
    let provider = registry.register(&ada, "Ada's").await;
    let agent = registry.register_agent(&ada, &provider, 7).await;
    assert_eq!(
        (agent.status(), agent.public_key.len()),
        (pb::AgentStatus::Active, 32)
    );
    let seen = registry
        .client(&bob)
        .list_agents(list(&provider))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(seen.agents, [agent], "the keys of agents are public");

    let other = registry.register(&ada, "other").await;
    let forged = pb::RegisterAgentRequest {
        provider_id: other,
        ..register_agent(&provider, 8)
    };
    let refused = Refused::from(registry.client(&ada).register_agent(forged).await);
    assert_eq!(refused.why(), (Code::InvalidArgument, "AGENT_PROOF_INVALID"));
    let mut weak = register_agent(&provider, 8);
    let mut neutral = vec![0; 32];
    neutral[0] = 1;
    weak.public_key = neutral.into();
    let refused = Refused::from(registry.client(&ada).register_agent(weak).await);
    assert_eq!(refused.why(), (Code::InvalidArgument, "AGENT_PROOF_INVALID"));
}

#[tokio::test]
async fn one_key_is_one_agent_of_all_providers_and_for_ever() {
    let mut registry = Registry::new().await;
    let (ada, bob) = (registry.tenant("Ada").await, registry.tenant("Bob").await);
    let (first, second) = (
        registry.register(&ada, "Ada's").await,
        registry.register(&bob, "Bob's").await,
    );
    let agent = registry.register_agent(&ada, &first, 7).await;
    let taken = (Code::AlreadyExists, "AGENT_KEY_TAKEN");
    let refused = Refused::from(
        registry
            .client(&bob)
            .register_agent(register_agent(&second, 7))
            .await,
    );
    assert_eq!(refused.why(), taken);
    registry
        .client(&ada)
        .retire_agent(retire(&agent.agent_id))
        .await
        .unwrap();
    let refused = Refused::from(
        registry
            .client(&ada)
            .register_agent(register_agent(&first, 7))
            .await,
    );
    assert_eq!(refused.why(), taken, "a retired agent keeps its key");

    let (mut ada, mut bob) = (registry.client(&ada), registry.client(&bob));
    let (one, two) = tokio::join!(
        ada.register_agent(register_agent(&first, 9)),
        bob.register_agent(register_agent(&second, 9))
    );
    assert_eq!(
        u8::from(one.is_ok()) + u8::from(two.is_ok()),
        1,
        "of two at once one has it"
    );
    let refused = if one.is_ok() {
        Refused::from(two)
    } else {
        Refused::from(one)
    };
    assert_eq!(refused.why(), taken);
}

#[tokio::test]
async fn a_provider_is_answered_with_the_agent_of_it_that_is_asked_for() {
    let mut registry = Registry::new().await;
    let (ada, bob) = (registry.tenant("Ada").await, registry.tenant("Bob").await);
    let (own, other) = (
        registry.register(&ada, "Ada's").await,
        registry.register(&ada, "other").await,
    );
    let agent = registry.register_agent(&ada, &own, 7).await;
    let mut stranger = registry.client(&bob);
    let mut asked = async |provider_id: &str, agent_id: &str| {
        let request = pb::GetProviderRequest {
            provider_id: provider_id.to_owned(),
            agent_id: agent_id.to_owned(),
        };
        stranger.get_provider(request).await.unwrap().into_inner().agent
    };
    assert_eq!(asked(&own, &agent.agent_id).await, Some(agent.clone()));
    assert_eq!(asked(&own, "").await, None, "none is asked for");
    assert_eq!(asked(&other, &agent.agent_id).await, None, "another provider's");
    let unknown = agent.agent_id.replace("agent_0", "agent_1");
    assert_eq!(asked(&own, &unknown).await, None, "nobody's");
    let retired = registry.client(&ada).retire_agent(retire(&agent.agent_id)).await;
    let retired = retired.unwrap().into_inner().agent;
    assert_eq!(asked(&own, &agent.agent_id).await, retired);
}

#[tokio::test]
async fn an_agent_is_retired_once_and_only_by_its_own() {
    let mut registry = Registry::new().await;
    let (ada, bob) = (registry.tenant("Ada").await, registry.tenant("Bob").await);
    let (one, two) = (
        registry.register(&ada, "one").await,
        registry.register(&ada, "two").await,
    );
    let agent = registry.register_agent(&ada, &one, 7).await;
    for stranger in [&bob, &bound(&ada, &two)] {
        let refused = Refused::from(
            registry
                .client(stranger)
                .retire_agent(retire(&agent.agent_id))
                .await,
        );
        assert_eq!(refused.why(), (Code::NotFound, "AGENT_NOT_FOUND"));
    }
    let mut own = registry.client(&bound(&ada, &one));
    let retired = own
        .retire_agent(retire(&agent.agent_id))
        .await
        .unwrap()
        .into_inner()
        .agent
        .unwrap();
    assert_eq!(retired.status(), pb::AgentStatus::Retired);
    assert!(retired.retire_time.is_some());
    let refused = Refused::from(own.retire_agent(retire(&agent.agent_id)).await);
    assert_eq!(refused.why(), (Code::FailedPrecondition, "AGENT_RETIRED"));
    let refused = Refused::from(registry.client(&bob).list_agents(list(NOBODY)).await);
    assert_eq!(refused.why(), (Code::NotFound, "PROVIDER_NOT_FOUND"));
    let refused = Refused::from(
        registry
            .client(&bob)
            .register_agent(register_agent(&one, 8))
            .await,
    );
    assert_eq!(refused.why(), (Code::NotFound, "PROVIDER_NOT_FOUND"));
}

#[tokio::test]
async fn a_provider_has_at_most_a_hundred_working_agents() {
    let mut registry = Registry::new().await;
    let ada = registry.tenant("Ada").await;
    let provider = registry.register(&ada, "Ada's").await;
    let first = registry.register_agent(&ada, &provider, 1).await;
    for seed in 2..=100 {
        registry.register_agent(&ada, &provider, seed).await;
    }
    let refused = Refused::from(
        registry
            .client(&ada)
            .register_agent(register_agent(&provider, 101))
            .await,
    );
    assert_eq!(refused.why(), (Code::FailedPrecondition, "AGENT_LIMIT_REACHED"));
    registry
        .client(&ada)
        .retire_agent(retire(&first.agent_id))
        .await
        .unwrap();
    registry.register_agent(&ada, &provider, 101).await;

    let page = pb::ListAgentsRequest {
        page_size: 100,
        ..list(&provider)
    };
    let page = registry
        .client(&ada)
        .list_agents(page)
        .await
        .unwrap()
        .into_inner();
    let rest = pb::ListAgentsRequest {
        page_token: page.next_page_token,
        ..list(&provider)
    };
    let rest = registry
        .client(&ada)
        .list_agents(rest)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        (
            page.agents.len(),
            rest.agents.len(),
            rest.next_page_token.as_str()
        ),
        (100, 1, "")
    );
    let foreign = pb::ListAgentsRequest {
        page_token: "AAAA".to_owned(),
        ..list(&provider)
    };
    let refused = Refused::from(registry.client(&ada).list_agents(foreign).await);
    assert_eq!(refused.why(), (Code::InvalidArgument, "PAGE_TOKEN_INVALID"));
}
