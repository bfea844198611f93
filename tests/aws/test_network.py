"""Where things stand, and who reaches whom."""

from __future__ import annotations

import pytest

from tests.aws.stacks import Stack

pytestmark = pytest.mark.timeout(300)


def test_three_zones(stack: Stack) -> None:
    """Offline too, each kind of subnet stands in each of the three zones."""
    kinds = {"small": 3, "production": 3, "closed": 2}[stack.name]
    zones = [item["AvailabilityZone"] for item in stack.all("EC2::Subnet").values()]
    assert sorted(zones) == sorted(list(stack.settings.zones) * kinds)


def test_the_cluster_has_no_way_to_the_internet(stack: Stack) -> None:
    """No route leads out of the subnets that the cluster stands in."""
    subnets = {item["Ref"] for item in stack.one("DocDB::DBSubnetGroup")["SubnetIds"]}
    assert len(subnets) == 3
    tables = {
        item["RouteTableId"]["Ref"]
        for item in stack.all("EC2::SubnetRouteTableAssociation").values()
        if item["SubnetId"]["Ref"] in subnets
    }
    assert len(tables) == 3
    assert [item for item in stack.all("EC2::Route").values() if item["RouteTableId"]["Ref"] in tables] == []


def test_only_the_job_reaches_the_cluster(stack: Stack) -> None:
    """One rule lets the job's group in, on MongoDB's port; nothing lets anybody into the job."""
    groups = stack.all("EC2::SecurityGroup")
    (database,) = [name for name in groups if name.startswith("DatabaseGroup")]
    (job,) = [name for name in groups if name.startswith("JobGroup")]
    assert [name for name, item in groups.items() if "SecurityGroupIngress" in item] == []
    rules = list(stack.all("EC2::SecurityGroupIngress").values())
    (rule,) = [item for item in rules if item["GroupId"]["Fn::GetAtt"][0] == database]
    assert rule["SourceSecurityGroupId"]["Fn::GetAtt"][0] == job
    assert (rule["FromPort"], rule["ToPort"], rule["IpProtocol"]) == (27017, 27017, "tcp")
    assert [item for item in rules if item["GroupId"]["Fn::GetAtt"][0] == job] == []
    assert stack.one("DocDB::DBCluster")["VpcSecurityGroupIds"] == [{"Fn::GetAtt": [database, "GroupId"]}]


def test_the_way_out_is_what_the_setting_says(small: Stack, production: Stack, closed: Stack) -> None:
    """One NAT gateway, one per zone, or none and AWS's services inside; S3 never goes through a NAT gateway."""
    assert [len(item.all("EC2::NatGateway")) for item in (small, production, closed)] == [1, 3, 0]
    assert closed.all("EC2::InternetGateway") == {}
    kinds = {
        item.name: sorted(point["VpcEndpointType"] for point in item.all("EC2::VPCEndpoint").values())
        for item in (small, production, closed)
    }
    assert kinds == {"small": ["Gateway"], "production": ["Gateway"], "closed": ["Gateway", *["Interface"] * 6]}


def test_refused_connections_are_logged(stack: Stack) -> None:
    """The VPC has a flow log, kept as long as the other logs."""
    assert stack.one("EC2::FlowLog")["TrafficType"] == "REJECT"
    groups = stack.all("Logs::LogGroup")
    assert {item["LogGroupName"] for item in groups.values()} == {
        "/barograph/flow",
        "/barograph/job",
        "/aws/docdb/barograph/audit",
        "/aws/docdb/barograph/profiler",
    }
    assert {item["RetentionInDays"] for item in groups.values()} == {stack.settings.log_retention_days}
    assert all("KmsKeyId" in item for item in groups.values())
