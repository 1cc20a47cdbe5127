"""The CodePipeline and STS interfaces, driven by boto3 and the aws command line as they come."""

import datetime
import io
import json
import unittest
import urllib.error
import urllib.request
import zipfile

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from server import Server, wait_until

ACCOUNT = "123456789012"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/pipeline"


def source_zip(text="hello"):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("app.txt", text)
    return buffer.getvalue()


def source(bucket="sources", key="app.zip"):
    return {
        "name": "Fetch",
        "actionTypeId": {"category": "Source", "owner": "AWS", "provider": "S3", "version": "1"},
        "configuration": {"S3Bucket": bucket, "S3ObjectKey": key, "PollForSourceChanges": "false"},
        "outputArtifacts": [{"name": "App"}],
    }


def approval(name="Ask"):
    return {
        "name": name,
        "actionTypeId": {"category": "Approval", "owner": "AWS", "provider": "Manual", "version": "1"},
        "configuration": {"CustomData": "Look before you leap"},
    }


def declaration(name, *, actions=None, **members):
    return {
        "name": name,
        "roleArn": ROLE,
        "artifactStore": {"type": "S3", "location": "artifacts"},
        "stages": [{"name": "Source", "actions": [source()]}, {"name": "Gate", "actions": actions or [approval()]}],
        **members,
    }


class CodePipelineTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server(account=ACCOUNT).start()
        cls.addClassCleanup(cls.server.close)
        cls.pipelines = cls.server.client("codepipeline")
        s3 = cls.server.client("s3")
        for bucket in ("artifacts", "sources"):
            s3.create_bucket(Bucket=bucket)
        s3.put_bucket_versioning(Bucket="sources", VersioningConfiguration={"Status": "Enabled"})
        s3.put_object(Bucket="sources", Key="app.zip", Body=source_zip())

    def refused(self, code, call, **arguments):
        with self.assertRaises(ClientError) as caught:
            call(**arguments)
        self.assertEqual(code, caught.exception.response["Error"]["Code"], caught.exception)
        self.assertEqual(400, caught.exception.response["ResponseMetadata"]["HTTPStatusCode"])
        return caught.exception.response["Error"]["Message"]

    def create(self, name, **options):
        made = self.pipelines.create_pipeline(pipeline=declaration(name, **options))
        self.addCleanup(self.pipelines.delete_pipeline, name=name)
        return made["pipeline"]

    def latest(self, name):
        summaries = self.pipelines.list_pipeline_executions(pipelineName=name)["pipelineExecutionSummaries"]
        return summaries[0] if summaries else None

    def stage(self, name, stage="Gate"):
        state = self.pipelines.get_pipeline_state(name=name)
        return next(each for each in state["stageStates"] if each["stageName"] == stage)

    def token(self, name):
        def look():
            failed = self.latest(name)
            if failed and failed["status"] == "Failed":
                self.fail(json.dumps(self.pipelines.list_action_executions(pipelineName=name), default=str))
            return self.stage(name)["actionStates"][0].get("latestExecution", {}).get("token")

        return wait_until(look, "an approval's token")

    def answer(self, name, token, status="Approved"):
        return self.pipelines.put_approval_result(
            pipelineName=name, stageName="Gate", actionName="Ask", token=token,
            result={"status": status, "summary": "seen"})

    def status(self, name, wanted):
        return wait_until(lambda: self.latest(name)["status"] == wanted, f"{name} to be {wanted}")

    # Definition

    def test_a_declaration_comes_back_as_it_was_with_what_the_service_adds(self):
        made = self.create("forms")
        self.assertEqual(1, made["version"])
        self.assertEqual("SUPERSEDED", made.get("executionMode", "SUPERSEDED"))
        got = self.pipelines.get_pipeline(name="forms")
        self.assertEqual(made, got["pipeline"])
        self.assertEqual(f"arn:aws:codepipeline:us-east-1:{ACCOUNT}:forms", got["metadata"]["pipelineArn"])
        self.assertIsInstance(got["metadata"]["created"], datetime.datetime)
        changed = dict(got["pipeline"], version=7, executionMode="QUEUED", pipelineType="V2")
        self.assertEqual(2, self.pipelines.update_pipeline(pipeline=changed)["pipeline"]["version"])
        self.assertEqual(made, self.pipelines.get_pipeline(name="forms", version=1)["pipeline"])
        self.refused("PipelineVersionNotFoundException", self.pipelines.get_pipeline, name="forms", version=3)
        self.refused("PipelineNameInUseException", self.pipelines.create_pipeline, pipeline=declaration("forms"))
        summary = next(each for each in self.pipelines.list_pipelines()["pipelines"] if each["name"] == "forms")
        self.assertEqual((2, "QUEUED", "V2"), tuple(summary[key] for key in ("version", "executionMode", "pipelineType")))

    def test_deleting_succeeds_whether_or_not_there_is_a_pipeline(self):
        self.pipelines.create_pipeline(pipeline=declaration("gone"))
        for _ in range(2):
            self.pipelines.delete_pipeline(name="gone")
        self.refused("PipelineNotFoundException", self.pipelines.get_pipeline, name="gone")

    def test_every_failure_of_a_request_is_named_with_its_path(self):
        lax = self.server.client(
            "codepipeline", config=Config(parameter_validation=False, retries={"max_attempts": 0}))
        wrong = declaration("a b")
        wrong["stages"][1]["actions"][0]["actionTypeId"]["owner"] = "Nobody"
        del wrong["roleArn"]
        message = self.refused("ValidationException", lax.create_pipeline, pipeline=wrong)
        self.assertTrue(message.startswith("3 validation errors detected: "), message)
        for part in (
            "Value 'a b' at 'pipeline.name' failed to satisfy constraint: Member must satisfy regular expression pattern",
            "Value null at 'pipeline.roleArn' failed to satisfy constraint: Member must not be null",
            "at 'pipeline.stages.2.member.actions.1.member.actionTypeId.owner' failed to satisfy constraint: "
            "Member must satisfy enum value set: [AWS, ThirdParty, Custom]",
        ):
            self.assertIn(part, message)
        self.refused("ValidationException", lax.list_pipeline_executions, pipelineName="p", maxResults=101)

    def test_a_pipeline_of_one_stage_is_not_well_formed(self):
        alone = declaration("alone")
        del alone["stages"][1]
        self.refused("InvalidStructureException", self.pipelines.create_pipeline, pipeline=alone)

    def test_pages_follow_their_tokens_and_tokens_their_lists(self):
        for name in ("page-a", "page-b", "page-c"):
            self.create(name)
        names = [
            each["name"]
            for page in self.pipelines.get_paginator("list_pipelines").paginate(PaginationConfig={"PageSize": 1})
            for each in page["pipelines"]
        ]
        self.assertEqual(sorted(names), names)
        self.assertTrue({"page-a", "page-b", "page-c"} <= set(names))
        token = self.pipelines.list_pipelines(maxResults=1)["nextToken"]
        self.refused(
            "InvalidNextTokenException", self.pipelines.list_pipeline_executions, pipelineName="page-a", nextToken=token)
        self.refused("InvalidNextTokenException", self.pipelines.list_pipelines, nextToken="forged")

    def test_tags_come_and_go(self):
        self.pipelines.create_pipeline(pipeline=declaration("tagged"), tags=[{"key": "team", "value": "web"}])
        self.addCleanup(self.pipelines.delete_pipeline, name="tagged")
        arn = self.pipelines.get_pipeline(name="tagged")["metadata"]["pipelineArn"]
        self.pipelines.tag_resource(resourceArn=arn, tags=[{"key": "team", "value": "ops"}, {"key": "x", "value": ""}])
        self.pipelines.untag_resource(resourceArn=arn, tagKeys=["x", "unknown"])
        self.assertEqual(
            [{"key": "team", "value": "ops"}], self.pipelines.list_tags_for_resource(resourceArn=arn)["tags"])
        self.refused("ResourceNotFoundException", self.pipelines.list_tags_for_resource, resourceArn=arn + "x")
        self.refused(
            "InvalidTagsException", self.pipelines.tag_resource, resourceArn=arn,
            tags=[{"key": "aws:mine", "value": "1"}])

    # Execution

    def test_an_approved_execution_succeeds_and_is_told_of_in_full(self):
        self.create("approved")
        token = self.token("approved")
        gate = self.stage("approved")
        self.assertEqual("InProgress", gate["latestExecution"]["status"])
        self.assertTrue(gate["inboundTransitionState"]["enabled"])
        source_state = self.stage("approved", "Source")["actionStates"][0]
        self.assertTrue(source_state["currentRevision"]["revisionId"])
        self.refused(
            "InvalidApprovalTokenException", self.answer, name="approved",
            token="00000000-0000-4000-8000-000000000000")
        self.assertIsInstance(self.answer("approved", token)["approvedAt"], datetime.datetime)
        self.refused("ApprovalAlreadyCompletedException", self.answer, name="approved", token=token)
        self.status("approved", "Succeeded")

        summary = self.latest("approved")
        self.assertEqual("CreatePipeline", summary["trigger"]["triggerType"])
        self.assertEqual("Fetch", summary["sourceRevisions"][0]["actionName"])
        execution = self.pipelines.get_pipeline_execution(
            pipelineName="approved", pipelineExecutionId=summary["pipelineExecutionId"])["pipelineExecution"]
        self.assertEqual("Succeeded", execution["status"])
        self.assertEqual("App", execution["artifactRevisions"][0]["name"])
        details = self.pipelines.list_action_executions(
            pipelineName="approved", filter={"pipelineExecutionId": summary["pipelineExecutionId"]}
        )["actionExecutionDetails"]
        self.assertEqual(["Ask", "Fetch"], [each["actionName"] for each in details])
        self.assertEqual(f"arn:aws:iam::{ACCOUNT}:root", details[0]["updatedBy"])
        location = details[1]["output"]["outputArtifacts"][0]["s3location"]
        stored = self.server.client("s3").get_object(Bucket=location["bucket"], Key=location["key"])["Body"].read()
        with zipfile.ZipFile(io.BytesIO(stored)) as archive:
            self.assertEqual(b"hello", archive.read("app.txt"))
        action = self.stage("approved")["actionStates"][0]["latestExecution"]
        self.assertEqual(("Succeeded", "seen"), (action["status"], action["summary"]))
        self.assertNotIn("token", action)

    def test_a_rejected_execution_fails_and_can_be_retried(self):
        self.create("rejected")
        self.answer("rejected", self.token("rejected"), "Rejected")
        self.status("rejected", "Failed")
        failed = self.latest("rejected")["pipelineExecutionId"]
        again = self.pipelines.retry_stage_execution(
            pipelineName="rejected", stageName="Gate", pipelineExecutionId=failed, retryMode="FAILED_ACTIONS")
        self.assertEqual(failed, again["pipelineExecutionId"])
        self.answer("rejected", self.token("rejected"))
        self.status("rejected", "Succeeded")
        runs = self.pipelines.list_action_executions(
            pipelineName="rejected",
            filter={"latestInPipelineExecution": {"pipelineExecutionId": failed, "startTimeRange": "Latest"}})
        self.assertEqual(["Ask"], [each["actionName"] for each in runs["actionExecutionDetails"]])
        self.refused(
            "StageNotRetryableException", self.pipelines.retry_stage_execution, pipelineName="rejected",
            stageName="Gate", pipelineExecutionId=failed, retryMode="FAILED_ACTIONS")

    def test_an_execution_is_stopped_once(self):
        self.create("stopped")
        self.token("stopped")
        running = self.latest("stopped")["pipelineExecutionId"]
        stop = {"pipelineName": "stopped", "pipelineExecutionId": running, "abandon": True, "reason": "enough"}
        self.refused(
            "PipelineNotFoundException", self.pipelines.stop_pipeline_execution, **dict(stop, pipelineName="nothing"))
        self.assertEqual(running, self.pipelines.stop_pipeline_execution(**stop)["pipelineExecutionId"])
        self.status("stopped", "Stopped")
        self.assertEqual("enough", self.latest("stopped")["stopTrigger"]["reason"])
        self.refused("PipelineExecutionNotStoppableException", self.pipelines.stop_pipeline_execution, **stop)

    def test_a_closed_transition_holds_executions_back(self):
        self.create("held")
        self.answer("held", self.token("held"))
        self.status("held", "Succeeded")
        self.pipelines.disable_stage_transition(
            pipelineName="held", stageName="Gate", transitionType="Inbound", reason="freeze")
        token = {"name": "held", "clientRequestToken": "once"}
        started = self.pipelines.start_pipeline_execution(**token)["pipelineExecutionId"]
        self.assertEqual(started, self.pipelines.start_pipeline_execution(**token)["pipelineExecutionId"])
        waiting = wait_until(lambda: self.stage("held").get("inboundExecution"), "an execution in front of the stage")
        self.assertEqual(started, waiting["pipelineExecutionId"])
        transition = self.stage("held")["inboundTransitionState"]
        self.assertEqual((False, "freeze"), (transition["enabled"], transition["disabledReason"]))
        self.pipelines.enable_stage_transition(pipelineName="held", stageName="Gate", transitionType="Inbound")
        self.answer("held", self.token("held"))
        self.status("held", "Succeeded")

    def test_a_stage_rolls_back_to_an_execution_that_passed_it(self):
        self.create("back", pipelineType="V2")
        self.answer("back", self.token("back"))
        self.status("back", "Succeeded")
        target = self.latest("back")["pipelineExecutionId"]
        self.pipelines.start_pipeline_execution(name="back")
        self.answer("back", self.token("back"))
        self.status("back", "Succeeded")
        made = self.pipelines.rollback_stage(
            pipelineName="back", stageName="Gate", targetPipelineExecutionId=target)["pipelineExecutionId"]
        self.answer("back", self.token("back"))
        self.status("back", "Succeeded")
        rollback = self.latest("back")
        self.assertEqual((made, "ROLLBACK"), (rollback["pipelineExecutionId"], rollback["executionType"]))
        self.assertEqual(target, rollback["rollbackMetadata"]["rollbackTargetPipelineExecutionId"])

    def test_the_rules_of_a_condition_are_listed(self):
        rule = {
            "name": "Equal", "ruleTypeId": {"category": "Rule", "owner": "AWS", "provider": "VariableCheck", "version": "1"},
            "configuration": {"Variable": "#{variables.colour}", "Value": "red", "Operator": "EQ"},
        }
        ruled = declaration("ruled", pipelineType="V2", variables=[{"name": "colour", "defaultValue": "blue"}])
        ruled["stages"][1]["beforeEntry"] = {"conditions": [{"result": "FAIL", "rules": [rule]}]}
        self.pipelines.create_pipeline(pipeline=ruled)
        self.addCleanup(self.pipelines.delete_pipeline, name="ruled")
        self.status("ruled", "Failed")
        listed = self.pipelines.list_rule_executions(pipelineName="ruled")["ruleExecutionDetails"]
        self.assertEqual([("Gate", "Equal", "Failed")], [
            (each["stageName"], each["ruleName"], each["status"]) for each in listed])
        self.assertEqual("blue", listed[0]["input"]["resolvedConfiguration"]["Variable"])
        condition = self.stage("ruled")["beforeEntryConditionState"]
        self.assertEqual("Failed", condition["latestExecution"]["status"])

    # Types and jobs

    def test_a_worker_polls_for_the_jobs_of_a_custom_action(self):
        kind = {"category": "Test", "owner": "Custom", "provider": "Checker", "version": "1"}
        made = self.pipelines.create_custom_action_type(
            category="Test", provider="Checker", version="1",
            inputArtifactDetails={"minimumCount": 1, "maximumCount": 1},
            outputArtifactDetails={"minimumCount": 0, "maximumCount": 1},
            configurationProperties=[{"name": "Suite", "required": True, "key": True, "secret": False}])
        self.addCleanup(self.pipelines.delete_custom_action_type, category="Test", provider="Checker", version="1")
        self.assertEqual(kind, made["actionType"]["id"])
        self.assertIn(kind, [each["id"] for each in self.pipelines.list_action_types(
            actionOwnerFilter="Custom")["actionTypes"]])
        check = {
            "name": "Check", "actionTypeId": kind, "configuration": {"Suite": "all"},
            "inputArtifacts": [{"name": "App"}], "outputArtifacts": [{"name": "Report"}],
        }
        self.create("custom", actions=[check])
        job = wait_until(
            lambda: self.pipelines.poll_for_jobs(actionTypeId=kind, maxBatchSize=1)["jobs"], "a job")[0]
        data = job["data"]
        self.assertEqual({"Suite": "all"}, data["actionConfiguration"]["configuration"])
        self.assertEqual("custom", data["pipelineContext"]["pipelineName"])
        self.refused(
            "InvalidNonceException", self.pipelines.acknowledge_job, jobId=job["id"], nonce="1")
        claimed = self.pipelines.acknowledge_job(jobId=job["id"], nonce=job["nonce"])
        self.assertEqual("InProgress", claimed["status"])
        credentials = data["artifactCredentials"]
        s3 = self.server.client(
            "s3", access_key=credentials["accessKeyId"], secret_key=credentials["secretAccessKey"],
            aws_session_token=credentials["sessionToken"])
        given = data["inputArtifacts"][0]["location"]["s3Location"]
        self.assertTrue(s3.get_object(Bucket=given["bucketName"], Key=given["objectKey"])["Body"].read())
        wanted = data["outputArtifacts"][0]["location"]["s3Location"]
        with self.assertRaises(ClientError):
            s3.put_object(Bucket=wanted["bucketName"], Key="elsewhere", Body=b"x")
        s3.put_object(Bucket=wanted["bucketName"], Key=wanted["objectKey"], Body=source_zip("report"))
        worker = self.server.client(
            "codepipeline", access_key=credentials["accessKeyId"], secret_key=credentials["secretAccessKey"],
            aws_session_token=credentials["sessionToken"])
        self.refused("AccessDeniedException", worker.list_pipelines)
        self.pipelines.put_job_success_result(
            jobId=job["id"], executionDetails={"summary": "all well", "externalExecutionId": "run-1"},
            outputVariables={"passed": "12"})
        self.status("custom", "Succeeded")
        latest = self.stage("custom")["actionStates"][0]["latestExecution"]
        self.assertEqual("all well", latest["summary"])
        self.refused("InvalidJobStateException", self.pipelines.put_job_success_result, jobId=job["id"])
        self.refused(
            "JobNotFoundException", self.pipelines.get_job_details, jobId="00000000-0000-4000-8000-000000000000")

    def test_the_builtin_types_are_listed(self):
        providers = {
            each["id"]["provider"]
            for page in self.pipelines.get_paginator("list_action_types").paginate(actionOwnerFilter="AWS")
            for each in page["actionTypes"]
        }
        self.assertTrue({"S3", "CodeCommit", "CodeBuild", "Manual"} <= providers)
        rules = {each["id"]["provider"] for each in self.pipelines.list_rule_types()["ruleTypes"]}
        self.assertIn("VariableCheck", rules)

    def test_operations_without_a_counterpart_say_so(self):
        self.assertEqual([], self.pipelines.list_webhooks()["webhooks"])
        self.refused(
            "NotImplementedException", self.pipelines.put_webhook,
            webhook={
                "name": "w", "targetPipeline": "p", "targetAction": "a", "filters": [{"jsonPath": "$.x"}],
                "authentication": "UNAUTHENTICATED", "authenticationConfiguration": {},
            })
        self.refused(
            "ActionTypeNotFoundException", self.pipelines.get_action_type, category="Build", owner="AWS",
            provider="CodeBuild", version="1")

    # Who asks

    def test_the_command_line_works_as_it_comes(self):
        identity = self.server.aws("sts", "get-caller-identity")
        self.assertEqual((ACCOUNT, f"arn:aws:iam::{ACCOUNT}:root"), (identity["Account"], identity["Arn"]))
        path = self.server.home / "cli.json"
        path.write_text(json.dumps({"pipeline": declaration("cli")}))
        self.server.aws("codepipeline", "create-pipeline", "--cli-input-json", f"file://{path}")
        self.addCleanup(self.pipelines.delete_pipeline, name="cli")
        state = self.server.aws("codepipeline", "get-pipeline-state", "--name", "cli")
        self.assertEqual(["Source", "Gate"], [each["stageName"] for each in state["stageStates"]])
        listed = self.server.aws("codepipeline", "list-pipelines", "--query", "pipelines[?name=='cli'].version")
        self.assertEqual([1], listed)
        failed = self.server.aws("codepipeline", "get-pipeline", "--name", "nothing", check=False)
        self.assertIn("PipelineNotFoundException", failed.stderr)

    def test_session_credentials_speak_for_the_same_account(self):
        given = self.server.client("sts").get_session_token(DurationSeconds=900)["Credentials"]
        session = {
            "access_key": given["AccessKeyId"], "secret_key": given["SecretAccessKey"],
            "aws_session_token": given["SessionToken"],
        }
        self.assertEqual(ACCOUNT, self.server.client("sts", **session).get_caller_identity()["Account"])
        self.server.client("codepipeline", **session).list_pipelines()
        session["aws_session_token"] = session["aws_session_token"][:-8] + "AAAAAAA="
        with self.assertRaises(ClientError) as caught:
            self.server.client("codepipeline", **session).list_pipelines()
        self.assertEqual("UnrecognizedClientException", caught.exception.response["Error"]["Code"])

    def test_wrong_secrets_and_unknown_keys_are_refused(self):
        wrong = self.server.client("codepipeline", secret_key="x" * 40)
        self.refused("InvalidSignatureException", wrong.list_pipelines)
        unknown = self.server.client("codepipeline", access_key="AKIAUNKNOWNUNKNOWN77")
        self.refused("UnrecognizedClientException", unknown.list_pipelines)

    def test_curl_signs_as_it_does(self):
        answer = self.server.run(
            "curl", "--silent", "--show-error", "--aws-sigv4", "aws:amz:us-east-1:codepipeline",
            "--user", f"{self.server.access_key}:{self.server.secret_key}", "--data", "{}",
            "--header", "Content-Type: application/x-amz-json-1.1",
            "--header", "X-Amz-Target: CodePipeline_20150709.ListPipelines", self.server.endpoint + "/")
        self.assertIn("pipelines", json.loads(answer.stdout))

    def test_a_presigned_identity_tells_who_signed_it(self):
        url = self.server.client("sts").generate_presigned_url("get_caller_identity", ExpiresIn=60, HttpMethod="GET")
        with urllib.request.urlopen(url) as answer:
            self.assertIn(f"<Account>{ACCOUNT}</Account>", answer.read().decode())

    def test_requests_that_no_sdk_sends_get_amazons_answers(self):
        def post(target, body):
            request = AWSRequest("POST", self.server.endpoint + "/", data=body, headers={
                "Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": target})
            SigV4Auth(
                Credentials(self.server.access_key, self.server.secret_key), "codepipeline", "us-east-1"
            ).add_auth(request)
            sent = urllib.request.Request(
                self.server.endpoint + "/", data=body, headers=dict(request.headers.items()), method="POST")
            try:
                with urllib.request.urlopen(sent) as answer:
                    return answer.status, json.load(answer)
            except urllib.error.HTTPError as error:
                self.assertTrue(error.headers["x-amzn-RequestId"])
                return error.code, json.load(error)

        status, answer = post("CodePipeline_20150709.ListPipelines", b"{}")
        self.assertEqual((200, True), (status, "pipelines" in answer))
        for target, body, code in (
            ("CodePipeline_20150709.Nonsense", b"{}", "UnknownOperationException"),
            ("CodePipeline_20150709.ListPipelines", b"{", "SerializationException"),
            ("CodePipeline_20150709.ListPipelines", b'{"maxResults":"x"}', "SerializationException"),
            ("CodePipeline_20150709.GetPipeline", b"{}", "ValidationException"),
        ):
            status, answer = post(target, body)
            self.assertEqual((400, code), (status, answer["__type"]))


if __name__ == "__main__":
    unittest.main()
