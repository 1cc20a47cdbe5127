"""Declarations of the pipelines that several end-to-end tests run: git, a build, an approval, files in a bucket."""

import json

BUILDSPEC = """version: 0.2
phases:
  build:
    commands:
      - mkdir -p site
      - cp index.txt site/index.txt
      - echo "building $CODEBUILD_RESOLVED_SOURCE_VERSION"
      - %s
artifacts:
  base-directory: site
  files: ['**/*']
"""


def action(name, category, provider, configuration, inputs=(), outputs=()):
    return {
        "name": name,
        "actionTypeId": {"category": category, "owner": "AWS", "provider": provider, "version": "1"},
        "configuration": configuration,
        "inputArtifacts": [{"name": i} for i in inputs],
        "outputArtifacts": [{"name": o} for o in outputs],
    }


def declaration(name, repository, project="site", approval=True, bucket="site", environment=None):
    build = {"ProjectName": project}
    if environment:
        build["EnvironmentVariables"] = json.dumps(environment)
    stages = [
        {
            "name": "Source",
            "actions": [
                action(
                    "Git",
                    "Source",
                    "CodeCommit",
                    {"RepositoryName": repository, "BranchName": "main", "PollForSourceChanges": "false"},
                    outputs=["source"],
                )
            ],
        },
        {"name": "Build", "actions": [action("Site", "Build", "CodeBuild", build, ["source"], ["site"])]},
    ]
    if approval:
        stages.append({"name": "Review", "actions": [action("Approve", "Approval", "Manual", {"CustomData": "Look"})]})
    stages.append(
        {
            "name": "Deploy",
            "actions": [action("Site", "Deploy", "S3", {"BucketName": bucket, "Extract": "true"}, ["site"])],
        }
    )
    return {
        "name": name,
        "pipelineType": "V2",
        "roleArn": "arn:aws:iam::000000000000:role/pipeline",
        "artifactStore": {"type": "S3", "location": "artifacts"},
        "stages": stages,
    }
