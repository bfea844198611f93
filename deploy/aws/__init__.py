"""AWS as code: one CloudFormation stack, made with the AWS CDK. docs/aws.md is its handbook."""
